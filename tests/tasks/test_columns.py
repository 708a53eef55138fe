"""Promises of `discovery.tasks.columns`: rows of history that are no mixture of the campaign's parts."""

import numpy as np
import pytest

from discovery.campaign import CampaignSpec, Experience
from discovery.space import SearchSpace
from discovery.tasks import read_history

ROWS = "EC,EMC,DMC,y\n0.3,0.7,0,1\n0.3,0.3,0.4,2\n0.333,0.666,0,3\n"


@pytest.fixture
def solvents(tmp_path):
    """Return a campaign of two solvents whose history has a third one."""
    (tmp_path / "old.csv").write_text(ROWS)
    mapping = {
        "name": "new",
        "parameters": [{"name": name, "type": "continuous", "bounds": [0, 1]} for name in ("EC", "EMC")],
        "constraints": [{"type": "simplex", "parameters": ["EC", "EMC"]}],
        "objectives": [{"name": "y"}],
        "candidates": "pool.csv",
    }
    spec = CampaignSpec.from_mapping(mapping, base_dir=tmp_path)
    return spec, SearchSpace.from_spec(spec)


def test_rows_with_an_unknown_rest_are_left_out(solvents):
    """Where parts do not add up there is something else in it; rounding does not count."""
    history = read_history(["old.csv"], *solvents)

    assert history.tasks[0].n_points == 2 and history.n_dropped == {"old.csv": 1}
    (cell,) = history.dropped["old.csv"]
    assert (cell.row_number, cell.column, cell.value) == (2, "EC", "0.6")
    assert cell.reason == "and the other parts must add up to 1"


def test_the_rest_may_be_learned_across(solvents):
    """Named with the campaign's own value, the further part is a coordinate and its rows stay."""
    spec, space = solvents
    across = spec.model_copy(update={"experience": Experience(held={"DMC": 0.0})})
    history = read_history(["old.csv"], across, space)

    assert history.tasks[0].n_points == 3 and history.dropped == {}
    np.testing.assert_allclose(history.tasks[0].X[:, 2], [0, 1, 0])
