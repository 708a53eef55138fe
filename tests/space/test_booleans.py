"""Promises of boolean parameters: one column of 0 and 1, however true and false are written."""

import numpy as np
import pandas as pd

from discovery.campaign import CampaignSpec
from discovery.space import CandidatePool, SearchSpace

LIST = {"name": "eq", "type": "discrete", "values": [2, 1, 1.5, 10]}


def build(parameters, **changes):
    return CampaignSpec.from_mapping({"name": "c", "parameters": parameters, "objectives": [{"name": "y"}], **changes})


def test_a_boolean_is_one_column_of_zero_and_one():
    """True and false are 1 and 0 however they are written; tables hold truth values, keys their words."""
    space = SearchSpace.from_spec(build([{"name": "dry", "type": "boolean"}]))
    cells = ["yes", "No", " TRUE ", "false", 1, 0, 1.0, "0", True, np.False_]
    X = space.encode(pd.DataFrame({"dry": cells}))
    assert X[:, 0].tolist() == [1, 0, 1, 0, 1, 0, 1, 0, 1, 0]
    assert space.decode(X)["dry"].tolist() == X[:, 0].astype(bool).tolist()
    assert all(type(value) is bool for value in space.decode(X)["dry"])
    assert space.keys(pd.DataFrame({"dry": ["yes", 0]})) == ["dry=true", "dry=false"]
    assert (space.blocks[0].kind, space.n_dims) == ("boolean", 1)
    faults = space.check(pd.DataFrame({"dry": ["maybe", "", 2, "1"]}))
    assert [(fault.row, fault.reason) for fault in faults] == [
        (0, "must be true or false"),
        (1, "must be given"),
        (2, "must be true or false"),
    ]


def test_booleans_make_pools_and_count_as_numbers():
    """Booleans and lists alone are a product of values; constraints add false and true up as 0 and 1."""
    spec = build(
        [*({"name": name, "type": "boolean"} for name in "ab"), LIST],
        constraints=["a + b <= 1", {"type": "exclude", "when": {"a": True, "eq": [1.5, 2]}}],
    )
    assert spec.n_combinations == 16 and spec.has_pool
    pool = CandidatePool.from_spec(spec, SearchSpace.from_spec(spec))
    assert len(pool) == 3 * 4 - 2
    assert not (pool.frame["a"] & pool.frame["b"]).any()


def test_booleans_of_history_are_read_like_those_of_the_campaign():
    """Earlier tables may spell truth in other words, and `held` says what it was before it was varied."""
    spec = build([{"name": "dry", "type": "boolean", "held": False}, LIST])
    assert spec.held == {"dry": False}
    space = SearchSpace.from_spec(spec)
    earlier = pd.DataFrame({"dry": ["Yes", "no"], "eq": [1, 2]})
    assert space.typed(earlier)["dry"].tolist() == [True, False]
