"""The example plug-in, installed as anybody would install it, takes part in a campaign like a part of ours."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from discovery import registry
from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError
from discovery.meta.train import Experience
from discovery.session import Campaign
from discovery.tasks.history import HistoryDistribution

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "plugin"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the example plug-in installed in it by pip."""
    source, target = tmp_path_factory.mktemp("source") / "plugin", tmp_path_factory.mktemp("site")
    shutil.copytree(EXAMPLE, source)
    words = ["install", "-q", "--no-index", "--no-deps", "--no-build-isolation", "--target", str(target), str(source)]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True)
    return target


@pytest.fixture
def installed(site, monkeypatch):
    """This process finds the plug-in."""
    monkeypatch.syspath_prepend(str(site))
    registry._points.cache_clear()
    yield
    registry._points.cache_clear()
    sys.modules.pop("my_lab_tools", None)


@pytest.fixture
def campaign(installed, tmp_path):
    """The example's own campaign."""
    return Campaign.open(shutil.copy(EXAMPLE / "campaign.yaml", tmp_path), device="cpu")


def test_a_campaign_with_a_plug_in_of_every_kind(campaign):
    """Learner, acquisition function, descriptors and laboratory of one package run a campaign, results included."""
    for _ in range(3):
        assert campaign.ask(2)["acqf_name"].tolist() == ["most_uncertain"] * 2
        campaign.review_pending(auto_approve=True)
        campaign.experiment()
        campaign.ingest_results()
    rows = campaign.measurements()
    angle = rows["ligand"].map({"PMe3": 118, "PPh3": 145, "PCy3": 170, "PtBu3": 182, "PoTol3": 194})
    expected = 90 - 0.01 * (rows["temperature"] - 70) ** 2 - 0.3 * (angle - 170).abs()
    assert rows["yield"].tolist() == pytest.approx(expected.tolist()) and len(rows) == 6
    assert [h.name for h in campaign.hypotheses()] == ["no_transfer", "additive"]
    assert type(campaign.hypotheses()[1].learner).__name__ == "AdditiveGP"
    assert campaign.space.n_dims == 3  # two descriptors and the temperature
    assert campaign.replay(campaign.proposals()["proposal_id"].iloc[-1]).is_equal


def test_another_learner_is_trained_anew(campaign, tmp_path):
    """A checkpoint of one learner does not stand in for another under the same name of a hypothesis."""
    assert type(campaign.hypotheses()[1].learner).__name__ == "AdditiveGP"
    file = tmp_path / "campaign.yaml"
    file.write_text(file.read_text().replace("learner: additive_gp", "learner: meta_gp"))
    assert type(Campaign.open(file, device="cpu").hypotheses()[1].learner).__name__ == "MetaGP"


def test_a_hypothesis_of_ones_own_learns_from_history_where_there_is_any(related):
    """What the learner is given to train on: the earlier tasks, or nothing."""
    found = Experience(tuple(related)).distribution("mine", "additive_gp")
    assert isinstance(found, HistoryDistribution) and len(found.tasks) == len(related)
    assert Experience().distribution("mine", "additive_gp") is None
    with pytest.raises(ConfigurationError, match="must name experience that the campaign has"):
        Experience().distribution("history", "additive_gp")


@pytest.mark.usefixtures("installed")
def test_what_is_installed_is_listed_with_its_package():
    """People see what a plug-in added, and where it comes from."""
    assert registry.entry("learner", "additive_gp").description == "Plug-in of my-lab-tools 1.0."
    assert list(registry.table("descriptors")) == ["tolman"]
    assert "most_uncertain" in registry.table("acquisition") and "log_ei" in registry.table("acquisition")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"acquisition": {"name": "most_uncertian"}}, "acquisition.name must be a known acquisition function"),
        ({"hypotheses": [{"name": "no_transfer"}, {"name": "a", "learner": "additive"}]}, "must be a known meta-lear"),
        ({"experiment": {"type": "arithmetics"}}, "experiment.type must be one of 'table', 'simulator'"),
        ({"experiment": {"type": "robot"}}, "If it comes with a plug-in, install that in this environment"),
        ({"review": {"mode": "robot"}}, "got 'robot'. Known: 'auto', 'required'"),
    ],
)
def test_what_no_plug_in_brings_is_refused(changes, said):
    """A name that nothing installed has is an error with the known names, not a default."""
    plain = {
        "name": "plain",
        "parameters": [{"name": "t", "type": "continuous", "bounds": [0, 1]}],
        "objectives": [{"name": "y"}],
    }
    with pytest.raises(ConfigurationError, match=said):
        CampaignSpec.from_mapping({**plain, **changes})


@pytest.mark.usefixtures("installed")
def test_descriptors_that_do_not_know_a_category_say_so(tmp_path):
    """The plug-in's own sentence reaches the user."""
    text = (EXAMPLE / "campaign.yaml").read_text().replace("PMe3", "PMe2")
    (tmp_path / "campaign.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"A ligand must be one of .* got 'PMe2'"):
        Campaign.open(tmp_path / "campaign.yaml", device="cpu")


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs a package `other 2.0` with one module and one entry point."""

    def installed(group: str, point: str, module: str = "") -> None:
        info = tmp_path / "other-2.0.dist-info"
        info.mkdir()
        (tmp_path / "other.py").write_text(module)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 2.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{point}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        registry._points.cache_clear()

    yield installed
    registry._points.cache_clear()
    sys.modules.pop("other", None)


def test_a_plug_in_cannot_take_our_names(install):
    """Two things under one name would be chosen by chance; the later one is refused."""
    install("discovery.acquisitions", "log_ei = other:f")
    with pytest.raises(ConfigurationError, match=r"a name of its own; got 'log_ei' of other 2\.0"):
        registry.table("acquisition")


def test_descriptors_have_a_row_for_every_category(install, tmp_path):
    """A table that is too short would give categories the numbers of others."""
    install(
        "discovery.descriptors", "short = other:f", "import pandas as pd\nf = lambda values: pd.DataFrame({'a': [1]})"
    )
    spec = {
        "name": "short",
        "parameters": [{"name": "x", "type": "categorical", "values": ["a", "b"], "descriptors": "plugin:short"}],
        "objectives": [{"name": "y"}],
    }
    with pytest.raises(ConfigurationError, match="plugin:short must give a DataFrame with 2 rows"):
        Campaign.open(CampaignSpec.from_mapping(spec, tmp_path), device="cpu")
