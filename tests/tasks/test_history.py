"""Earlier measurements as tasks: what is read, what is left out and why, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch

from discovery.campaign import CampaignRef, CampaignSpec, Experience, FileRef
from discovery.errors import ConfigurationError, InputError, NotEnoughDataError, NotSupportedError
from discovery.ingest import check_rows, read_rows
from discovery.space import SearchSpace
from discovery.store import Store
from discovery.tasks import HistoryDistribution, Task, TaskDistribution, read_history

PARAMETERS = [
    {"name": "ligand", "type": "categorical", "values": ["L1", "L2"]},
    {"name": "temperature", "type": "continuous", "bounds": [0, 100]},
]
ROWS = "ligand,temperature,yield,note\nL1,50,10,a\nL2,100,30,b\nL1,50.0,20,c\n"


@pytest.fixture
def lab(tmp_path):
    """Return a function that writes files and gives the campaign's spec and space."""

    def make(name="new", **files):
        for stem, text in files.items():
            (tmp_path / f"{stem}.csv").write_text(text)
        mapping = {
            "name": name,
            "parameters": PARAMETERS,
            "outcomes": [{"name": "yield", "range": [0, 100]}, {"name": "purity"}],
            "objectives": [{"name": "yield"}],
            "candidates": "pool.csv",
        }
        spec = CampaignSpec.from_mapping(mapping, base_dir=tmp_path)
        return spec, SearchSpace.from_spec(spec)

    return make


def test_a_file_is_a_task(lab):
    """A file becomes one task: encoded, only the objective's outcome, replicates averaged, order of first rows."""
    spec, space = lab(old=ROWS)
    history = read_history(["old.csv"], spec, space)

    (task,) = history.tasks
    assert (task.task_id, task.source, task.Yvar) == ("old.csv", "old.csv", None)
    np.testing.assert_allclose(task.X, [[1, 0, 0.5], [0, 1, 1.0]])
    np.testing.assert_allclose(task.Y, [[15.0], [30.0]])
    assert history.dropped == {} == history.n_dropped


def test_parquet_reads_the_same(lab, tmp_path):
    """The same table as Parquet gives the same task."""
    spec, space = lab(old=ROWS)
    pd.read_csv(tmp_path / "old.csv").to_parquet(tmp_path / "old.parquet")
    csv, parquet = read_history(["old.csv", "old.parquet"], spec, space).tasks

    np.testing.assert_array_equal(csv.X, parquet.X)
    np.testing.assert_array_equal(csv.Y, parquet.Y)


def test_known_noise_is_averaged(lab):
    """Standard errors become variances of the means where every row has one."""
    rows = "ligand,temperature,yield,yield_sem\nL1,50,10,1\nL1,50,20,2\nL2,0,5,3\n"
    spec, space = lab(old=rows, part=rows.replace(",3\n", ",\n"))
    known, unknown = read_history(["old.csv", "part.csv"], spec, space).tasks

    np.testing.assert_allclose(known.Yvar, [[5 / 4], [9.0]])
    assert unknown.Yvar is None


BOUNDED = "ligand,temperature,yield,yield_limit\nL1,50,<5,\nL1,50,8,\nL2,100,80,>\nL2,0,30,\n"


def test_bounds_are_read_as_bounds(lab):
    """Cells with a sign and a column of sides give bounds, counted by task; a value beside a bound stays a value."""
    spec, space = lab(old=BOUNDED, known=ROWS)
    history = read_history(["old.csv", "known.csv"], spec, space)
    old, known = history.tasks

    np.testing.assert_array_equal(old.sides, [[-1], [0], [1], [0]])
    np.testing.assert_array_equal(old.Y, [[5], [8], [80], [30]])
    assert known.sides is None and known.measured() is known
    assert history.n_bounds == {"old.csv": 2} and "yield_limit" not in history.unused
    np.testing.assert_array_equal(old.measured().Y, [[8], [30]])


def test_rows_without_values_are_left_out_and_listed(lab):
    """Rows with a cell that is no value are left out with row, column and reason; pending ones without."""
    spec, space = lab(old="ligand,temperature,yield\nL1,50,10\nL1,hot,20\nL2,10,\nL2,20,bad\nL2,30,40\n,30,1\n")
    history = read_history(["old.csv"], spec, space)

    assert history.tasks[0].n_points == 2
    assert history.n_dropped == {"old.csv": 3}
    assert [(c.row_number, c.column, c.value) for c in history.dropped["old.csv"]] == [
        (2, "temperature", "hot"),
        (4, "yield", "bad"),
        (6, "ligand", ""),
    ]


def test_a_file_without_usable_rows_is_no_task(lab):
    """A file of which no row fits gives no task, and says why."""
    spec, space = lab(old="ligand,temperature,yield\nL1,hot,10\n")
    history = read_history(["old.csv"], spec, space)

    assert history.tasks == () and history.n_dropped == {"old.csv": 1}


def test_rows_of_another_space_widen_it(lab):
    """Levels and numbers that the campaign does not have are kept, in one space for all sources, and told in words."""
    spec, space = lab(old="ligand,temperature,yield\nL9,50,10\nL1,200,20\n", known=ROWS)
    history = read_history(["old.csv", "known.csv"], spec, space)
    old, known = history.tasks

    assert old.space is known.space is not None
    np.testing.assert_allclose(old.X, [[0, 0, 1, 0.5], [1, 0, 0, 2.0]])
    np.testing.assert_allclose(known.X, [[1, 0, 0, 0.5], [0, 1, 0, 1.0]])
    assert [text.split()[0] for text in history.differences] == ["ligand", "temperature"]
    assert history.unused == ("note",) and history.dropped == {}


def test_numbers_beyond_the_bounds_need_no_other_space(lab):
    """A number beyond the bounds is encoded beyond the unit interval; the columns stay the campaign's."""
    spec, space = lab(old="ligand,temperature,yield\nL1,-50,10\n")
    (task,) = read_history(["old.csv"], spec, space).tasks

    assert task.space is None
    np.testing.assert_allclose(task.X, [[1, 0, -0.5]])


def test_a_parameter_that_was_held(lab):
    """A source without a parameter says where it was held; another level makes a level of its own."""
    spec, space = lab(old="temperature,yield\n50,10\n")
    ref = FileRef(file="old.csv", held={"ligand": "L2"})
    (task,) = read_history([ref], spec, space).tasks
    (other,) = read_history([ref.model_copy(update={"held": {"ligand": "none"}})], spec, space).tasks

    assert task.task_id == "old.csv"
    np.testing.assert_allclose(task.X, [[0, 1, 0.5]])
    np.testing.assert_allclose(other.X, [[0, 0, 1, 0.5]])


def test_a_held_parameter_with_a_column(lab):
    """A parameter that is said to be held must not stand in the file."""
    spec, space = lab(old=ROWS)

    with pytest.raises(InputError, match=r"old\.csv must not have a column 'ligand' that is said to be held"):
        read_history([FileRef(file="old.csv", held={"ligand": "L1"})], spec, space)


def test_a_further_column_is_learned_across(lab):
    """A column named under `experience.held` becomes a coordinate; a source must have it, or say where it was held."""
    spec, space = lab(old=ROWS.replace("note", "salt"), bare=ROWS)
    across = spec.model_copy(update={"experience": Experience(held={"salt": "b"})})
    old, bare = read_history(["old.csv", FileRef(file="bare.csv", held={"salt": "b"})], across, space).tasks

    np.testing.assert_allclose(old.X[:, 3:], [[0, 1, 0], [1, 0, 0], [0, 0, 1]])  # L1 at 50 is no replicate any more
    np.testing.assert_allclose(bare.X[:, 3:], [[1, 0, 0], [1, 0, 0]])
    np.testing.assert_allclose(old.Y[:, 0], [10, 30, 20])
    with pytest.raises(InputError, match=r"bare\.csv must have the columns 'salt'") as caught:
        read_history(["old.csv", "bare.csv"], across, space)
    assert "held: {salt: ...}" in caught.value.hint


def test_absent_elements_are_fractions_of_zero(tmp_path):
    """A plate of other elements needs no columns for those that it lacks."""
    (tmp_path / "old.csv").write_text("Ni,Ta,y\n0.5,0.5,1\n")
    names = ["Ni", "Fe"]
    mapping = {
        "name": "plate",
        "parameters": [{"name": name, "type": "continuous", "bounds": [0, 1]} for name in names],
        "constraints": [{"type": "simplex", "parameters": names}],
        "objectives": [{"name": "y"}],
        "candidates": "pool.csv",
    }
    spec = CampaignSpec.from_mapping(mapping, base_dir=tmp_path)
    history = read_history(["old.csv"], spec, SearchSpace.from_spec(spec))

    assert history.tasks[0].space.union.names == ("Fe", "Ni", "Ta")
    np.testing.assert_allclose(history.tasks[0].X[0, :3], [0, 0.5, 0.5])
    assert "Elements differ (Fe, Ni, Ta)" in history.differences[0]


@pytest.mark.parametrize("column", ["yield", "ligand"])
def test_missing_column(lab, column):
    """A file without the outcome or a parameter is refused with file and column."""
    spec, space = lab(old=ROWS.replace(column, "other", 1))

    with pytest.raises(InputError, match=rf"old\.csv must have the columns? '{column}'"):
        read_history(["old.csv"], spec, space)


def test_missing_file(lab):
    """A file that is not there is named."""
    spec, space = lab()

    with pytest.raises(InputError, match=r"gone\.csv"):
        read_history(["gone.csv"], spec, space)


def test_a_campaign_of_the_store_is_a_task(lab, tmp_path):
    """Measurements of an earlier campaign become a task named after it."""
    spec, space = lab(
        "old", rows=ROWS.replace("note", "purity").replace(",a", ",1").replace(",b", ",2").replace(",c", ",3")
    )
    store = Store(tmp_path / "lab.duckdb")
    store.register_campaign(spec)
    store.add_measurements("old", check_rows(read_rows(tmp_path / "rows.csv"), spec, space), "rows.csv")
    new, space = lab("new")

    (task,) = read_history([CampaignRef(campaign="old")], new, space, store).tasks

    assert task.task_id == task.source == "campaign:old"
    np.testing.assert_allclose(task.Y, [[15.0], [30.0]])


def test_no_self_teaching(lab):
    """A campaign's own measurements are never its history: neither its name nor its measured file."""
    spec, space = lab(pool=ROWS)

    with pytest.raises(ConfigurationError, match="must name earlier campaigns; got 'new' itself"):
        read_history([CampaignRef(campaign="new")], spec, space)
    with pytest.raises(ConfigurationError, match=r"must not hold the campaign's own measurements; got \./pool\.csv"):
        read_history(["./pool.csv"], spec, space)


def test_a_campaign_needs_a_store(lab):
    """An earlier campaign without a store is refused with its name."""
    spec, space = lab()

    with pytest.raises(ConfigurationError, match="names the campaign 'old', and no store is given"):
        read_history([CampaignRef(campaign="old")], spec, space)


@pytest.fixture
def history():
    """Tasks of 3 and 6 points whose rows are all different."""
    values = np.arange(1.0, 10.0)[:, None]
    x = np.hstack([values / 10, values / 20, values / 30])
    return HistoryDistribution((Task("a", x[:3], values[:3]), Task("b", x[3:], values[3:])))


def test_history_is_a_task_distribution(history, lab):
    """The history follows the protocol and binds to the space it was read for."""
    _, space = lab()

    assert isinstance(history, TaskDistribution)
    assert history.bind(space) is history


@pytest.mark.parametrize("n_points", [2, 4, 8])
def test_rows_are_drawn_without_replacement(history, n_points):
    """Each drawn task has rows of one source, none twice, padded where the source has too few."""
    batch = history.sample(50, n_points, torch.Generator().manual_seed(0))

    assert batch.X.shape == (50, n_points, 3) and batch.Yvar is None
    assert set(batch.task_ids) == {"a", "b"}
    for i, name in enumerate(batch.task_ids):
        y = batch.Y[i, batch.mask[i], 0]
        own = {1.0, 2.0, 3.0} if name == "a" else {4.0, 5.0, 6.0, 7.0, 8.0, 9.0}
        assert len(y) == len(set(y.tolist())) == min(n_points, len(own)) and set(y.tolist()) <= own
        torch.testing.assert_close(batch.X[i, batch.mask[i], 0] * 10, y)
    assert (batch.Y[~batch.mask] == 0).all() and (batch.X[~batch.mask] == 0).all()


def test_same_generator_state_same_rows(history):
    """The same generator state gives the same batch, another one another."""
    first, again, other = (history.sample(9, 2, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))

    assert torch.equal(first.Y, again.Y) and not torch.equal(first.Y, other.Y)


def test_history_refusals(history):
    """History knows no other points, no other space, no empty batch, and is never empty."""
    with pytest.raises(NotSupportedError, match="only where they were measured"):
        history.sample(1, 2, torch.Generator(), points=torch.zeros(2, 3))
    with pytest.raises(InputError, match="must each be at least 1"):
        history.sample(0, 2, torch.Generator())
    with pytest.raises(NotEnoughDataError, match="at least one task"):
        HistoryDistribution(())


def test_history_of_another_space(lab):
    """Tasks encoded for another space are refused with both numbers of dimensions."""
    _, space = lab()

    with pytest.raises(ConfigurationError, match="must have the 3 encoded dimensions of the space; got 2"):
        HistoryDistribution((Task("a", np.zeros((1, 2)), np.zeros((1, 1))),)).bind(space)
