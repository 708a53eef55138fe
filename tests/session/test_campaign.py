import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from discovery.campaign import CampaignSpec, dump_spec
from discovery.errors import InputError
from discovery.session import Campaign

Make = Callable[..., Campaign]


def test_the_store_is_beside_the_campaign_file(make_spec: Callable[..., CampaignSpec], tmp_path: Path) -> None:
    """Without any choice the store is discovery.duckdb beside the file."""
    spec = make_spec(candidates=None, experiment=None)
    dump_spec(spec, tmp_path / "campaign.yaml")
    campaign = Campaign.open(tmp_path / "campaign.yaml")
    assert campaign.store.path == tmp_path / "discovery.duckdb"
    assert campaign.store.path.exists()


def test_the_environment_names_the_store(
    make_spec: Callable[..., CampaignSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DISCOVERY_STORE is used where neither the caller nor the file names a store."""
    monkeypatch.setenv("DISCOVERY_STORE", str(tmp_path / "chosen.duckdb"))
    assert Campaign.open(make_spec()).store.path == tmp_path / "chosen.duckdb"
    assert Campaign.open(make_spec(), store=tmp_path / "other.duckdb").store.path == tmp_path / "other.duckdb"


def test_a_changed_file_is_a_new_version(make_campaign: Make) -> None:
    """Opening the same spec twice registers it once; a changed one is version 2 of the same campaign."""
    first = make_campaign()
    assert make_campaign().store.campaign("case-4").version == 1
    make_campaign(budget={"experiments": 9})
    assert first.store.campaign("case-4").version == 2


def test_a_campaign_that_cannot_be_is_not_registered(make_campaign: Make) -> None:
    """A broken list of candidates leaves the store as it was."""
    with pytest.raises(InputError, match="purity"):
        make_campaign("empty.duckdb", parameters=[{"name": "purity", "type": "continuous", "bounds": [0, 1]}])
    assert make_campaign("empty.duckdb", name="other").store.campaigns()["campaign"].tolist() == ["other"]


def test_status_and_review_do_not_load_torch(make_spec: Callable[..., CampaignSpec], tmp_path: Path) -> None:
    """Opening a campaign, its progress, its proposals and ingesting results stay light."""
    dump_spec(make_spec(candidates=None, experiment=None), tmp_path / "campaign.yaml")
    code = (
        "import sys; from discovery.session import Campaign; import pandas as pd\n"
        f"c = Campaign.open({str(tmp_path / 'campaign.yaml')!r})\n"
        "c.tell(pd.DataFrame({'catalyst': ['P1-L1'], 'residence_time': [60], 'temperature': [40],\n"
        "                     'catalyst_loading': [1.0], 'yield': [3.0]}))\n"
        "c.progress(), c.proposals(), c.review_pending()\n"
        "print('torch' in sys.modules, 'prefect' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False False"


def test_a_proposal_of_another_campaign_is_refused(make_campaign: Make) -> None:
    """Two campaigns in one store do not decide for each other."""
    proposal_id = make_campaign(name="other").ask(1)["proposal_id"].iloc[0]
    with pytest.raises(InputError, match="must belong to campaign case-4"):
        make_campaign().decide(proposal_id, "approve", "ann")
