"""The tables of what can be chosen by name, and plug-ins that join by being installed."""

import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch

from discovery import registry
from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError
from discovery.space import SearchSpace


@pytest.fixture
def plug_in(tmp_path, monkeypatch):
    """Return a function that installs a plug-in package: a module's text and its entry points."""

    def install(module: str, *points: str) -> None:
        (tmp_path / "my_lab.py").write_text(module)
        info = tmp_path / "my_lab-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-lab\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("\n".join([f"[{registry.SIMULATOR_GROUP}]", *points]))
        monkeypatch.syspath_prepend(str(tmp_path))
        registry._points.cache_clear()

    yield install
    registry._points.cache_clear()
    sys.modules.pop("my_lab", None)


def test_own_simulators_are_found():
    """The project's simulators are found by entry point, and loaded as the classes that they are."""
    assert {"gp_prior", "reaction_kinetics"} <= set(registry.simulator_names())
    assert registry.simulators()["gp_prior"].__name__ == "GPPrior"


def test_nothing_heavy_is_imported_to_list_names():
    """Listing what there is imports neither torch nor a simulator nor a learner."""
    code = (
        "import sys; from discovery import registry; registry.simulator_names(); registry.entry('learner', 'meta_gp');"
        "assert not {'torch', 'simulators', 'discovery.meta', 'botorch', 'prefect'} & set(sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "hint"), [("reaction_kinetic", "Did you mean 'reaction_kinetics'?"), ("weather", "got 'weather'")]
)
def test_unknown_simulator(name, hint):
    """An unknown simulator is refused with the known ones and the nearest."""
    with pytest.raises(ConfigurationError, match=r"simulator must be one of .*gp_prior.*reaction_kinetics") as caught:
        registry.simulator(name)

    assert hint in str(caught.value)


def test_overrides_reach_the_simulator():
    """Parameters of a campaign file replace the defaults."""
    assert registry.simulator("gp_prior", p_irrelevant=0.1).p_irrelevant == 0.1


def test_unknown_override():
    """An unknown parameter is refused with the known ones; what `bind` sets is not among them."""
    with pytest.raises(ConfigurationError, match="parameter of gp_prior must be one of") as caught:
        registry.simulator("gp_prior", p_irelevant=0.1)

    assert "Did you mean 'p_irrelevant'?" in str(caught.value)
    assert "columns" not in registry.override_names(registry.simulator_class("gp_prior"))


def test_override_of_the_wrong_kind():
    """A value that a simulator cannot work with is refused with what was given."""
    with pytest.raises(ConfigurationError, match="'gp_prior' cannot be made from noise=3"):
        registry.simulator("gp_prior", noise=3)


@pytest.mark.parametrize("kind", registry.TABLES)
def test_tables(kind):
    """Every choice has a one-line description that ends with a full stop, and a target that reads as one."""
    for name, entry in registry.TABLES[kind].items():
        assert registry.entry(kind, name) is entry
        assert entry.description.endswith(".") and "\n" not in entry.description
        assert not entry.target or (entry.target.startswith("discovery.") and entry.target.count(":") == 1)


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("learner", "meta_gb", r"The learner must be one of .*meta_gp.*; got 'meta_gb'. Did you mean 'meta_gp'"),
        ("acquisition", "log_e", r"Did you mean 'log_ei'"),
        (
            "adaptor",
            "table",
            r"kind of component must be one of acquisition, adapter, descriptors, learner; got 'adaptor'",
        ),
    ],
)
def test_unknown_choices(kind, name, message):
    """An unknown choice is refused with the known ones and the nearest."""
    with pytest.raises(ConfigurationError, match=message):
        registry.entry(kind, name)


def test_a_choice_is_loaded_lazily(monkeypatch):
    """A target is imported when asked for; one that is not there is named."""
    monkeypatch.setitem(registry.LEARNERS, "here", registry.Entry("discovery.registry:Entry", "An entry."))
    monkeypatch.setitem(registry.LEARNERS, "gone", registry.Entry("discovery.registry:Gone", "Not there."))

    assert registry.load("learner", "here") is registry.Entry
    with pytest.raises(ConfigurationError, match=r"'gone' must be importable from discovery\.registry:Gone"):
        registry.load("learner", "gone")


def test_a_name_alone_is_not_loaded():
    """Acquisitions are chosen by name and hold nothing to import."""
    with pytest.raises(ConfigurationError, match="known by its name alone"):
        registry.load("acquisition", "log_ei")


def test_plug_in_joins_by_being_installed(plug_in):
    """A simulator of another package is found, made with overrides and described by what it says."""
    plug_in("class Oven:\n    field = 'materials'\n    name = 'oven'\n", "oven = my_lab:Oven")

    assert "oven" in registry.simulator_names()
    assert registry.simulator("oven").name == "oven"
    assert registry.simulator_card("oven") == registry.SimulatorCard("oven", "materials", "", "", "")
    assert registry.override_names(registry.simulator_class("oven")) == ()


@pytest.mark.parametrize("target", ["my_lab:Gone", "my_gone_lab:Oven"])
def test_broken_plug_in(plug_in, target):
    """A plug-in that cannot be imported is named, with what to do; the others still work."""
    plug_in("", f"oven = {target}")

    with pytest.raises(ConfigurationError, match=rf"'oven' must be importable from {target}.*Install"):
        registry.simulator("oven")
    assert registry.simulator("gp_prior").name == "gp_prior"


def test_dataclass_fields_are_overrides():
    """What can be overridden are the fields of a simulator's constructor."""

    @dataclass
    class Oven:
        heat: float = 1.0

    assert registry.override_names(Oven) == ("heat",)


def test_a_simulator_gives_the_outcomes_that_are_asked_for(tmp_path):
    """Columns of its tasks are the outcomes in the order named; the first is the same beside others as alone."""
    made = registry.simulator("reaction_kinetics")
    assert registry.simulator_outcomes(type(made)) == ("yield", "conversion", "byproducts")
    assert registry.simulator_outcomes(type(registry.simulator("gp_prior"))) == ("outcome",)
    assert registry.giving(made, []) is made is registry.giving(made, ["yield"])
    parameters = [{"name": "temperature", "type": "continuous", "bounds": [30, 110]}]
    spec = CampaignSpec.from_mapping({"name": "lab", "parameters": parameters, "objectives": [{"name": "yield"}]})
    space = SearchSpace.from_spec(spec)

    def drawn(*outcomes):
        distribution = registry.giving(made, outcomes).bind(space)
        return distribution.sample(20, 6, torch.Generator().manual_seed(0))

    alone, three = drawn(), drawn("yield", "conversion", "byproducts")
    assert three.Y.shape == (20, 6, 3) == three.truth["noise_sd"].shape
    torch.testing.assert_close(three.truth["Y"][..., :1], alone.truth["Y"], rtol=0, atol=0)
    found, converted, beside = three.truth["Y"].unbind(-1)
    assert (found + beside <= converted + 1e-9).all() and converted.max() <= 100  # recovery is not complete


def test_simulators_are_bound_to_the_outcome_that_they_teach():
    """A campaign's part about an outcome gets the simulator's column that stands for it; a wrong name is refused."""
    parameters = [{"name": "temperature", "type": "continuous", "bounds": [30, 110]}]
    base = {"name": "lab", "parameters": parameters, "objectives": [{"name": "yield"}, {"name": "impurity"}]}

    def bound(outcome, **said):
        simulators = [{"name": "reaction_kinetics", "outcomes": {"yield": "yield", **said}}]
        spec = CampaignSpec.from_mapping({**base, "experience": {"simulators": simulators}})
        return registry.bound_simulators(spec.for_outcome(outcome), SearchSpace.from_spec(spec))

    assert bound("impurity", impurity="byproducts")["reaction_kinetics"].outcomes == ("byproducts",)
    assert bound("yield", impurity="byproducts")["reaction_kinetics"].outcomes == ("yield",)
    assert bound("impurity") == {}
    with pytest.raises(ConfigurationError, match=r"outcome of reaction_kinetics must be one of .*; got 'byproduct'"):
        bound("impurity", impurity="byproduct")
