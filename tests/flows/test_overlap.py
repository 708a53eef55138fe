"""Two runs of one campaign never interleave, however they were started: eight processes at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from discovery.session import Campaign

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
BUDGET = 12
TAKEN = "Lease campaign:Lab_1 must be free to be taken; it is held by"
LOCKED = "must be free to be opened"  # on a machine that is busier than the store's patience
CLI = [sys.executable, "-m", "discovery.cli.main"]
BY_HAND = """
import sys
from discovery.errors import StoreError
from discovery.session import Campaign
from discovery.session.leases import running
try:
    campaign = Campaign.open(sys.argv[1])
    with running(campaign.store, campaign.name) as check:
        while not campaign.progress().is_finished:
            check()
            if not campaign.progress().n_open:
                campaign.ask()
            campaign.review_pending()
            campaign.experiment()
            campaign.ingest_results()
except StoreError as error:
    sys.exit(str(error))
"""


@pytest.fixture
def file(write: Callable[..., Path]) -> Path:
    """A campaign of 24 candidates, and a table with two of them."""
    made = write(budget={"experiments": BUDGET}, store="contested.duckdb")
    (made.parent / "extra.csv").write_text("ligand,yield\nL05,61\nL06,62\n")
    return made


def test_eight_processes_at_once(prefect: str, file: Path):
    """Cycles come one after the other, nothing is proposed or carried out twice, and whoever is refused says why."""
    flows = [[*CLI, "run", str(file)]] * 2
    loops = [[sys.executable, "-c", BY_HAND, str(file)]] * 4
    others = [[*CLI, "propose", str(file)], [*CLI, "ingest", str(file), str(file.parent / "extra.csv")]]
    environment = {**os.environ, "PREFECT_API_URL": prefect}
    started = [
        subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for words in [*flows, *loops, *others]
    ]
    said = [process.communicate(timeout=600)[1] for process in started]
    codes = [process.returncode for process in started]
    assert set(codes) <= {0, 1} and "Traceback" not in "".join(said)
    refused = [text for code, text in zip(codes[:6], said[:6], strict=True) if code == 1]
    assert refused and 0 in codes[:7], "some have to come at once, and one has to get its way, be it `propose`"
    assert any(TAKEN in text for text in refused), refused
    assert all(TAKEN in text or LOCKED in text for text in refused), refused
    assert codes[7] == 0 or LOCKED in said[7]
    assert codes[6] == 0 or any(word in said[6] for word in (TAKEN, LOCKED, "budget")), said[6]
    subprocess.run(
        [sys.executable, "-c", BY_HAND, str(file)], check=True
    )  # where the store was too busy for the winner
    check_order(Campaign.open(file))


def check_order(campaign: Campaign) -> None:
    """Check in the store that no cycle began before all of the last one was measured, and that nothing came twice."""
    proposals, trials, measured = campaign.proposals(), campaign.store.trials(campaign.name), campaign.measurements()
    assert proposals["key"].is_unique and trials["proposal_id"].is_unique and trials["trial_id"].is_unique
    assert set(trials["status"]) == {"COMPLETED"} and set(trials["attempt"]) == {1}
    assert len(measured) >= BUDGET and measured["measurement_id"].is_unique
    by_hand = measured["source"].str.endswith("extra.csv")
    assert by_hand.sum() <= 2 and measured.loc[~by_hand, "key"].is_unique
    done = measured.set_index("proposal_id")["ingested_at"]
    answered = proposals.assign(done=proposals["proposal_id"].map(done.groupby(level=0).max()))
    spans = answered.groupby("cycle").agg(begun=("created_at", "min"), made=("created_at", "max"), done=("done", "max"))
    assert spans.index.tolist() == list(range(1, len(spans) + 1))
    assert (spans["done"].shift().dropna() <= spans["begun"].iloc[1:]).all(), spans
    assert (spans["made"] - spans["begun"] < pd.Timedelta(seconds=1)).all()
