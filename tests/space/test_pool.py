"""Promises of `discovery.space.pool` and `measured`: distinct feasible candidates, outcomes kept apart."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import InputError, NoCandidateError, NotEnoughDataError
from discovery.space import CandidatePool, MeasuredPool, SearchSpace

CSV = """well,catalyst,temperature,yield,yield_sem,turnover
A1,NA,30,10,0.5,1
A2,NA,90,20,0.5,2
A3,P2,90.0,70,0.5,3
A4,P2,30,,0.5,4
A5,P2,9e1,74,0.5,5
A6,P2,50,PENDING,0.5,6
"""


@pytest.fixture
def build(tmp_path):
    def build_both(csv=CSV, **changes):
        (tmp_path / "c.csv").write_text(csv)
        data = {
            "name": "c",
            "parameters": [
                {"name": "catalyst", "type": "categorical", "values": ["NA", "P2"]},
                {"name": "temperature", "type": "continuous", "bounds": [30, 110]},
            ],
            "objectives": [{"name": "yield"}],
            "candidates": "c.csv",
        }
        spec = CampaignSpec.from_mapping({**data, **changes}, tmp_path)
        return spec, SearchSpace.from_spec(spec)

    return build_both


def test_each_configuration_comes_once_without_outcomes(build):
    """Replicates collapse to their first row, outcome columns are hidden, other columns pass through as text."""
    spec, space = build()
    pool = CandidatePool.from_spec(spec, space)
    assert len(pool) == 5 and pool.n_repeated == 1 and pool.n_infeasible == 0
    assert pool.rows.tolist() == pool.frame.index.tolist() == [0, 1, 2, 3, 5]
    assert pool.frame.columns.tolist() == ["well", "catalyst", "temperature", "turnover"]
    assert pool.frame["temperature"].tolist() == [30.0, 90.0, 90.0, 30.0, 50.0]
    assert pool.frame["well"].tolist() == ["A1", "A2", "A3", "A4", "A6"]
    assert np.array_equal(pool.X, space.encode(pool.frame))
    assert list(pool.keys) == space.keys(pool.frame) and len(set(pool.keys)) == 5


def test_candidates_that_break_a_constraint_are_left_out_and_counted(build):
    """Constraints filter rows; positions stay those of the file."""
    spec, space = build(constraints=[{"type": "exclude", "when": {"catalyst": "NA", "temperature": 30}}])
    pool = CandidatePool.from_spec(spec, space)
    assert pool.n_infeasible == 1 and pool.rows.tolist() == [1, 2, 3, 5]


def test_no_candidate_left_is_refused(build):
    """A pool that constraints empty is refused by the name of its file."""
    spec, space = build(constraints=["temperature >= 100"])
    with pytest.raises(NoCandidateError, match=r"c\.csv must hold a configuration"):
        CandidatePool.from_spec(spec, space)


def test_a_parquet_file_gives_the_same_pool(build, tmp_path):
    """CSV and Parquet candidates are the same candidates."""
    spec, space = build()
    from_csv = CandidatePool.from_spec(spec, space)
    pd.read_csv(tmp_path / "c.csv", keep_default_na=False).to_parquet(tmp_path / "c.parquet")
    other, _ = build(candidates="c.parquet")
    from_parquet = CandidatePool.from_spec(other, space)
    assert from_parquet.keys == from_csv.keys and np.array_equal(from_parquet.X, from_csv.X)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("A2,NA", "A2,P9", "catalyst must be one of NA, P2; got 'P9' at data row 2 of c.csv"),
        ("A2,NA,90", "A2,NA,hot", "temperature must be a number; got 'hot' at data row 2 of c.csv"),
        ("A2,NA,90", "A2,NA,", "temperature must be given; got '' at data row 2 of c.csv"),
        ("A2,NA,90", "A2,NA,900", "temperature must be between 30 and 110; got '900' at data row 2 of c.csv"),
        ("catalyst", "cat", "c.csv must have the column 'catalyst'"),
    ],
)
def test_a_wrong_candidate_is_refused_with_its_place(build, old, new, message):
    """File, row, column and value are named."""
    spec, space = build(CSV.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        CandidatePool.from_spec(spec, space)


def test_lists_without_candidates_are_their_product(build):
    """Parameters that are all lists make the pool of all combinations, the last one changing fastest."""
    lists = [
        {"name": "a", "type": "discrete", "values": [1, 2]},
        {"name": "b", "type": "categorical", "values": list("uvw")},
    ]
    spec, space = build(parameters=lists, candidates=None)
    pool = CandidatePool.from_spec(spec, space)
    assert list(pool.frame.itertuples(index=False, name=None)) == list(product([1.0, 2.0], "uvw"))
    assert pool.rows.tolist() == list(range(6))


def test_a_continuous_space_without_candidates_has_no_pool(build):
    """Where nothing is listed there is no pool."""
    spec, space = build(candidates=None)
    assert CandidatePool.from_spec(spec, space) is None


def test_replicates_are_averaged_and_unmeasured_candidates_left_out(build):
    """Outcomes stand in the order of the pool; blank and PENDING candidates are counted and dropped."""
    spec, space = build()
    pool = MeasuredPool.from_spec(spec, space)
    assert pool.rows.tolist() == [0, 1, 2] and pool.n_unmeasured == 2
    assert pool.outcomes["yield"].tolist() == [10.0, 20.0, 72.0]
    assert "yield" not in pool.frame and list(pool.keys) == space.keys(pool.frame)


def test_outcomes_may_come_from_another_table(build, tmp_path):
    """A table of results is joined to the candidates by configuration, whatever its order."""
    bare = "catalyst,temperature\nP2,30\nNA,30\nP2,90\n"
    spec, space = build(bare, experiment={"type": "table", "path": "results.csv"})
    (tmp_path / "results.csv").write_text("temperature,catalyst,yield\n90.0,P2,5\n30,NA,1\n30,P2,2\n30,P2,4\n50,P2,9\n")
    pool = MeasuredPool.from_spec(spec, space)
    assert pool.rows.tolist() == [0, 1, 2] and pool.outcomes["yield"].tolist() == [3.0, 1.0, 5.0]
    assert MeasuredPool.from_spec(spec, space, "results.csv").keys == pool.keys


def test_without_candidates_the_measured_table_is_the_pool(build):
    """A table given by hand is its own list of candidates."""
    spec, space = build(candidates=None)
    assert MeasuredPool.from_spec(spec, space, "c.csv").rows.tolist() == [0, 1, 2]
    with pytest.raises(InputError, match="must name a file with measured outcomes"):
        MeasuredPool.from_spec(spec, space)


def test_further_outcomes_may_have_gaps(build):
    """An outcome that is no objective is NaN where it was not measured."""
    spec, space = build(CSV.replace("turnover", "cost").replace("0.5,2", "0.5,"), outcomes=[{"name": "cost"}])
    pool = MeasuredPool.from_spec(spec, space)
    assert np.array_equal(pool.outcomes["cost"], [1.0, np.nan, 4.0], equal_nan=True)
    assert "cost" not in pool.frame


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("90,20", "90,low", "yield must be a number; got 'low' at data row 2"),
        ("90,20", "90,inf", "yield must be a finite number; got 'inf'"),
        ("90,20", "90,>high", "yield must be a number; got '>high' at data row 2"),
        ("yield,", "conversion,", "must have the outcome column 'yield'"),
    ],
)
def test_a_wrong_outcome_is_refused_with_its_place(build, old, new, message):
    """File, row, column and value are named."""
    spec, space = build(CSV.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        MeasuredPool.from_spec(spec, space)


def test_a_pool_without_any_outcome_cannot_be_replayed(build):
    """Blank outcomes everywhere are a matter of waiting."""
    spec, space = build("catalyst,temperature,yield\nNA,30,\nP2,40,PENDING\n")
    with pytest.raises(NotEnoughDataError, match="got none"):
        MeasuredPool.from_spec(spec, space)
