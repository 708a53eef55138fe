from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError, ExperimentError, InputError
from discovery.experiments import TrialContext, adapter_for
from discovery.experiments.table import TableAdapter
from discovery.space import SearchSpace

MakeSpec = Callable[..., CampaignSpec]


def context(space: SearchSpace, configuration: dict) -> TrialContext:
    return TrialContext("lab-c001-00-t1", "lab-c001-00", space.keys(pd.DataFrame([configuration]))[0], "abc")


def test_a_configuration_is_looked_up_and_replicates_are_averaged(make_spec: MakeSpec) -> None:
    """However the numbers are written in the file, the measured mean comes back."""
    spec = make_spec()
    space = SearchSpace.from_spec(spec)
    adapter = adapter_for(spec, space)
    twice, once = {"ligand": "A", "temperature": 30.0}, {"ligand": "B", "temperature": 60.0}
    assert adapter.run(twice, context(space, twice)).outcomes == {"yield": 15.0}
    assert adapter.run(once, context(space, once)).outcomes == {"yield": 40.0}


def test_what_the_table_does_not_hold_can_never_be_run(make_spec: MakeSpec) -> None:
    """An unknown configuration, or one that is not measured, is an error that no retry mends."""
    spec = make_spec()
    space = SearchSpace.from_spec(spec)
    for configuration in ({"ligand": "A", "temperature": 99.0}, {"ligand": "B", "temperature": 90.0}):
        with pytest.raises(ExperimentError, match=r"must stand in table\.csv"):
            adapter_for(spec, space).run(configuration, context(space, configuration))


def test_a_table_that_is_missing_is_an_input_error(make_spec: MakeSpec) -> None:
    """The file is named, before anything is run."""
    spec = make_spec(experiment={"type": "table", "path": "nowhere.csv"})
    with pytest.raises(InputError, match=r"nowhere\.csv"):
        adapter_for(spec, SearchSpace.from_spec(spec))


def test_the_adapter_of_another_experiment_is_refused(make_spec: MakeSpec, tmp_path: Path) -> None:
    """A table adapter is not made from a simulator, nor any adapter from nothing."""
    spec = make_spec(experiment={"type": "simulator", "name": "gp_prior"})
    with pytest.raises(ConfigurationError, match="must be table"):
        TableAdapter.from_spec(spec, SearchSpace.from_spec(spec))
    bare = make_spec(experiment=None)
    with pytest.raises(ConfigurationError, match="must name an `experiment`"):
        adapter_for(bare, SearchSpace.from_spec(bare))
