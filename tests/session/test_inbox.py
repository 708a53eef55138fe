"""The inbox: every finished table is taken in once and moved, whatever is killed meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from discovery.errors import ConfigurationError
from discovery.ingest.arrivals import Settling
from discovery.session import Campaign
from discovery.session.inbox import check_alone, make_inbox, take_inbox
from discovery.session.leases import inbox_lease_name

KILLED = """
import os, signal, sys
from pathlib import Path
from discovery.campaign import CampaignSpec
from discovery.ingest.arrivals import Settling
from discovery.session import Campaign
from discovery.session.inbox import take_inbox
text, base_dir, store = sys.argv[1:]
Path.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
take_inbox(Campaign.open(CampaignSpec.from_json(text, base_dir), store=store), Settling(0.0))
"""


@pytest.fixture
def inbox(tmp_path) -> Path:
    """The folder of the inbox."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def campaign(make_campaign, inbox) -> Campaign:
    """The campaign with an inbox."""
    return make_campaign(inbox=str(inbox))


def take(campaign: Campaign) -> list:
    """Take the inbox in without waiting for files to settle."""
    return take_inbox(campaign, Settling(0.0))


def names(folder: Path) -> list[str]:
    """Return the names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def test_a_file_is_taken_in_once_and_moved(campaign, table, inbox):
    """Its rows land, it lies in done/ under its name, and the next look finds nothing."""
    table.head(4).to_csv(inbox / "monday.csv", index=False)
    (taken,) = take(campaign)
    assert (taken.verdict, taken.n_added, taken.file) == ("accepted", 4, "monday.csv")
    assert taken.moved_to == str(inbox / "done" / "monday.csv") and Path(taken.moved_to).is_file()
    assert set(campaign.measurements()["source"]) == {"monday.csv"}
    assert take(campaign) == [] and names(inbox) == []


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_every_type_of_table_is_taken(campaign, table, inbox, suffix):
    """CSV, Parquet and JSON lines are read alike."""
    rows, file = table.head(2), inbox / f"rows{suffix}"
    if suffix == ".csv":
        rows.to_csv(file, index=False)
    elif suffix == ".parquet":
        rows.to_parquet(file)
    else:
        rows.to_json(file, orient="records", lines=True)
    assert [taken.n_added for taken in take(campaign)] == [2]


def test_a_name_that_comes_again_gets_a_number(campaign, table, inbox):
    """An instrument that always writes results.csv overwrites nothing in done/; a copy of a file adds nothing."""
    added = []
    for first in (0, 2, 2):
        table.iloc[first : first + 2].to_csv(inbox / "results.csv", index=False)
        added += [taken.n_added for taken in take(campaign)]
    assert added == [2, 2, 0]
    assert names(inbox / "done") == ["results-2.csv", "results-3.csv", "results.csv"]


def test_a_file_without_the_columns_is_refused_whole(campaign, inbox):
    """It goes to refused/ with the reason beside it; nothing lands, and other files are taken all the same."""
    (inbox / "a.csv").write_text("temperature,yield\n60,50\n")
    (inbox / "b.parquet").write_bytes(b"no parquet")
    taken = take(campaign)
    assert [one.verdict for one in taken] == ["refused", "refused"] and campaign.measurements().empty
    assert names(inbox / "refused") == ["a.csv", "a.csv.why.txt", "b.parquet", "b.parquet.why.txt"]
    why = (inbox / "refused" / "a.csv.why.txt").read_text()
    assert "'catalyst'" in why and "put it into the inbox again" in why


def test_refused_rows_lie_beside_the_file_and_can_be_corrected(campaign, table, inbox):
    """Good rows land; the others come as a table with what is wrong, which lands after it is corrected."""
    rows = table.head(3).astype(object)
    rows.loc[1, "yield"] = "much"
    rows.to_csv(inbox / "r.csv", index=False)
    (taken,) = take(campaign)
    assert (taken.n_added, taken.n_rejected) == (2, 1) and "r.csv.rejected.csv" in taken.text
    rejected = pd.read_csv(inbox / "done" / "r.csv.rejected.csv")
    assert rejected["row"].tolist() == [2] and "yield must be a number, got much" in rejected["why_rejected"][0]
    rejected.assign(**{"yield": 55.5}).to_csv(inbox / "r2.csv", index=False)
    assert [one.n_added for one in take(campaign)] == [1]
    assert sorted(campaign.measurements()["yield"]) == sorted([rows["yield"][0], 55.5, rows["yield"][2]])


def test_a_file_of_bad_rows_only_is_refused(campaign, table, inbox):
    """Where no row can be used the file is refused, and every cell is named."""
    table.head(2).assign(**{"yield": "?"}).to_csv(inbox / "bad.csv", index=False)
    assert [one.verdict for one in take(campaign)] == ["refused"]
    assert (inbox / "refused" / "bad.csv.why.txt").read_text().count("Data row ") == 2
    assert len(campaign.store.rejected_rows(campaign.name)) == 2


def test_results_of_another_campaign_are_refused(make_campaign, inbox, table):
    """A file that answers proposals of another campaign of the store lies in the wrong inbox."""
    other = make_campaign(name="other")
    first = other.ask(1)
    campaign = make_campaign(inbox=str(inbox))
    answers = first[["proposal_id", *campaign.spec.parameter_names]].assign(**{"yield": 50.0})
    answers.to_csv(inbox / "x.csv", index=False)
    (taken,) = take(campaign)
    assert taken.verdict == "refused" and "of campaign other" in taken.text
    assert campaign.measurements().empty and other.measurements().empty


def test_two_campaigns_cannot_share_an_inbox(make_campaign, inbox, table):
    """The second is refused while the first is active, and may have the folder when that has finished."""
    first = make_campaign(name="first", inbox=str(inbox), budget={"experiments": 1})
    second = make_campaign(name="second", inbox=f"{inbox}/")
    table.head(1).to_csv(inbox / "r.csv", index=False)
    with pytest.raises(ConfigurationError, match=r"must belong to one campaign; got .* in second and in first"):
        take(second)
    with pytest.raises(ConfigurationError, match="Give each a folder"):
        take(first)
    first.tell(table.tail(1))
    first.finish()
    check_alone(second.spec, second.store)
    assert [one.n_added for one in take(second)] == [1]


def test_an_inbox_is_taken_by_one_process(campaign, table, inbox):
    """While another live process takes the inbox in, this one leaves it alone."""
    table.head(1).to_csv(inbox / "r.csv", index=False)
    lease = campaign.store.take_lease(inbox_lease_name(campaign.name), "elsewhere:1", 60)
    assert take(campaign) == [] and names(inbox) == ["r.csv"]
    campaign.store.release_lease(lease)
    assert [one.n_added for one in take(campaign)] == [1]


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_killed_between_taking_in_and_moving(campaign, table, inbox):
    """The rows are in the store and the file is still there; it comes again, adds nothing, and is moved."""
    rows = table.head(4).astype(object)
    rows.loc[1, "yield"] = "much"
    rows.to_csv(inbox / "r.csv", index=False)
    words = [campaign.spec.model_dump_json(), str(campaign.spec.base_dir), str(campaign.store.path)]
    killed = subprocess.run([sys.executable, "-c", KILLED, *words], check=False)
    assert killed.returncode == -9
    assert len(campaign.measurements()) == 3 and names(inbox) == ["r.csv"]
    (taken,) = take(campaign)
    assert (taken.verdict, taken.n_added) == ("accepted", 0) and "3 known already" in taken.text
    assert names(inbox / "done") == ["r.csv", "r.csv.rejected.csv"] and names(inbox) == []
    assert len(campaign.measurements()) == 3


def test_the_last_results_finish_the_campaign(make_campaign, table, inbox):
    """A file that uses the budget up ends the campaign."""
    campaign = make_campaign(inbox=str(inbox), budget={"experiments": 2})
    table.head(2).to_csv(inbox / "r.csv", index=False)
    take(campaign)
    assert campaign.store.campaign(campaign.name).status == "FINISHED"


def test_an_inbox_is_made_where_the_folder_above_it_is(make_spec, tmp_path):
    """A folder is made; a share that is not mounted is named, and so is a campaign without an inbox."""
    assert make_inbox(make_spec(inbox=str(tmp_path / "new"))).is_dir()
    with pytest.raises(ConfigurationError, match="Mount it"):
        make_inbox(make_spec(inbox=str(tmp_path / "share" / "lab")))
    with pytest.raises(ConfigurationError, match="must name an `inbox`"):
        make_inbox(make_spec())
