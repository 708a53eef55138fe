from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError
from discovery.experiments import TrialContext
from discovery.experiments.simulator import SimulatorAdapter
from discovery.registry import simulator_names
from discovery.space import SearchSpace

MakeSpec = Callable[..., CampaignSpec]
CONTEXT = TrialContext("t1", "p", "k", "abc")


def make_adapter(make_spec: MakeSpec, name: str, **options: object) -> SimulatorAdapter:
    spec = make_spec(candidates=None, experiment={"type": "simulator", "name": name, **options})
    return SimulatorAdapter.from_spec(spec, SearchSpace.from_spec(spec))


def run(adapter: SimulatorAdapter, temperature: float, trial: str = "t1", ligand: str = "A") -> tuple[float, float]:
    """Run one trial and return the noisy and the noise-free outcome."""
    configuration = {"ligand": ligand, "temperature": temperature}
    key = adapter.space.keys(pd.DataFrame([configuration]))[0]
    result = adapter.run(configuration, TrialContext(trial, "p", key, "abc"))
    return result.outcomes["yield"], float(result.extra["noise_free"])


@pytest.mark.parametrize("name", simulator_names())
def test_the_same_configuration_has_one_truth(make_spec: MakeSpec, name: str) -> None:
    """The truth belongs to the configuration, the noise to the trial, and both to the seed."""
    adapter, again = make_adapter(make_spec, name), make_adapter(make_spec, name)
    assert run(adapter, 50.0) == run(again, 50.0)
    first, second = run(adapter, 50.0, "t1"), run(adapter, 50.0, "t2")
    assert first[1] == second[1]
    assert first[0] != second[0]
    assert run(make_adapter(make_spec, name, seed=1), 50.0)[1] != first[1]


@pytest.mark.parametrize("name", simulator_names())
def test_the_truth_is_one_function(make_spec: MakeSpec, name: str) -> None:
    """Close configurations have close outcomes, distant ones differ: the task is not drawn anew for every question."""
    adapter = make_adapter(make_spec, name, seed=3)
    line = np.array([run(adapter, t)[1] for t in np.linspace(20, 100, 17)])
    steps = np.abs(np.diff(line))
    near = abs(run(adapter, 60.0)[1] - run(adapter, 60.01)[1])
    assert line.std() > 0
    assert near < 0.05 * max(steps.max(), 1.0)
    assert ((line >= 0) & (line <= 100)).all()


def test_settings_of_the_simulator_are_taken(make_spec: MakeSpec) -> None:
    """What the campaign file overrides reaches the simulator."""
    assert make_adapter(make_spec, "gp_prior", p_irrelevant=0.7).distribution.p_irrelevant == 0.7


TWO = {"candidates": None, "outcomes": [{"name": "yield"}, {"name": "waste"}], "objectives": [{"name": "yield"}]}


def test_a_simulator_plays_several_outcomes_of_one_reaction(make_spec: MakeSpec) -> None:
    """Every outcome is the column that the file names, of one task: the yield is the same beside others as alone."""
    said = {"waste": "byproducts", "yield": "yield"}
    spec = make_spec(**TWO, experiment={"type": "simulator", "name": "reaction_kinetics", "outcomes": said})
    both = SimulatorAdapter.from_spec(spec, SearchSpace.from_spec(spec))
    alone = make_adapter(make_spec, "reaction_kinetics")
    configuration = {"ligand": "A", "temperature": 60.0}
    found = both.run(configuration, CONTEXT)
    assert list(found.outcomes) == ["waste", "yield"]
    assert found.extra["yield_noise_free"] == pytest.approx(alone.run(configuration, CONTEXT).extra["noise_free"])
    assert 0 <= found.extra["waste_noise_free"] <= 100 - found.extra["yield_noise_free"]
    assert found == both.run(configuration, CONTEXT)


@pytest.mark.parametrize(
    ("outcomes", "why"),
    [
        (None, "must say for every outcome which of the simulator's it is; 'yield' is not there"),
        ({"yield": "yield"}, "'waste' is not there"),
        ({"yield": "yield", "waste": "yield"}, "must not give two outcomes the same"),
        ({"yield": "yield", "waste": "byproducts", "cost": "conversion"}, "must name outcomes of the campaign"),
    ],
)
def test_every_outcome_of_a_dry_run_is_named_once(make_spec: MakeSpec, outcomes: dict | None, why: str) -> None:
    """A campaign file that leaves an outcome open, or gives two the same, is refused before anything is made."""
    with pytest.raises(ConfigurationError, match=why):
        make_spec(**TWO, experiment={"type": "simulator", "name": "reaction_kinetics", "outcomes": outcomes})


def test_an_outcome_that_a_simulator_does_not_have_is_refused(make_spec: MakeSpec) -> None:
    """The names that there are stand in the message."""
    with pytest.raises(ConfigurationError, match="outcome of gp_prior must be one of outcome; got 'pressure'"):
        make_adapter(make_spec, "gp_prior", outcomes={"yield": "pressure"})


def test_the_adapter_of_another_experiment_is_refused(make_spec: MakeSpec) -> None:
    """A simulator adapter is not made from a table."""
    spec = make_spec()
    with pytest.raises(ConfigurationError, match="must be simulator"):
        SimulatorAdapter.from_spec(spec, SearchSpace.from_spec(spec))
