"""Promises of streamed pools: what a pool in memory gives, read in chunks, checked once."""

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import InputError, NoCandidateError, NotSupportedError
from discovery.space import CandidatePool, SearchSpace
from discovery.space import chunks as chunks_room
from discovery.space import pool as pool_room
from discovery.space.chunks import n_rows_of
from discovery.space.stream import StreamedPool

N = 500


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch, tmp_path):
    """Stream from a hundred rows on, seventy at a time, with a cache of one's own."""
    monkeypatch.setattr(pool_room, "STREAM_ABOVE", 100)
    monkeypatch.setattr(chunks_room, "CHUNK_ROWS", 70)
    monkeypatch.setenv("DISCOVERY_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "well": np.arange(N),
            "catalyst": rng.choice(["NA", "P2", "01"], N),
            "temperature": rng.integers(30, 60, N).astype(float),
            "yield": rng.random(N),
        }
    )


@pytest.fixture
def both(tmp_path, rows):
    def build(table=None, suffix=".csv", **changes):
        table = rows if table is None else table
        path = tmp_path / f"c{suffix}"
        table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path)
        data = {
            "name": "c",
            "parameters": [
                {"name": "catalyst", "type": "categorical", "values": ["NA", "P2", "01"]},
                {"name": "temperature", "type": "continuous", "bounds": [30, 110]},
            ],
            "objectives": [{"name": "yield"}],
            "candidates": path.name,
        }
        spec = CampaignSpec.from_mapping({**data, **changes}, tmp_path)
        return spec, SearchSpace.from_spec(spec)

    return build


def in_memory(spec, space):
    return pool_room.pool_of(pool_room.read_table(spec.resolve(spec.candidates)), spec, space, spec.candidates)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("constraints", [(), ("temperature <= 45",)])
def test_a_streamed_pool_is_the_pool(both, suffix, constraints):
    """The same configurations in the same order, from CSV and Parquet, with the same counts."""
    spec, space = both(suffix=suffix, constraints=constraints)
    streamed, whole = CandidatePool.from_spec(spec, space), in_memory(spec, space)
    assert isinstance(streamed, StreamedPool) and len(streamed) == len(whole) < N
    assert (streamed.n_infeasible, streamed.n_repeated) == (whole.n_infeasible, whole.n_repeated)
    parts = list(streamed.chunks())
    assert max(len(part.frame) for part in parts) <= 70 and [part.start for part in parts][1] == len(parts[0].frame)
    assert np.array_equal(np.vstack([part.X for part in parts]), whole.X)
    assert np.concatenate([part.frame.index for part in parts]).tolist() == whole.rows.tolist()
    np.testing.assert_allclose(streamed.facts.center, whole.X.mean(axis=0))
    assert all(key in streamed.keys for key in whole.keys) and "catalyst=?" not in streamed.keys


def test_single_configurations_are_found(both):
    """Any positions, in any order, give the configurations that stand there."""
    spec, space = both()
    streamed, whole = CandidatePool.from_spec(spec, space), in_memory(spec, space)
    places = np.array([len(whole) - 1, 0, 17, 3])
    taken = streamed.take(places)
    assert taken.keys == tuple(whole.keys[i] for i in places)
    assert taken.rows.tolist() == whole.rows[places].tolist() and np.array_equal(taken.X, whole.X[places])


def test_random_starts_are_those_of_a_pool_in_memory(both):
    """The same seed gives the same starts, none of them taken, fewer where the pool runs out."""
    spec, space = both()
    streamed, whole = CandidatePool.from_spec(spec, space), in_memory(spec, space)
    taken = set(whole.keys[::3])
    starts = [pool.starts(9, taken, np.random.default_rng(5)).keys for pool in (streamed, whole)]
    assert starts[0] == starts[1] and not taken & set(starts[0])
    assert streamed.n_left(taken | {"unknown"}) == whole.n_left(taken | {"unknown"}) == len(whole) - len(taken)
    assert len(streamed.starts(9, set(whole.keys[2:]), np.random.default_rng(5))) == 2


def test_a_restricted_pool_gives_only_what_is_within(both):
    """What may not be chosen today is marked in every chunk and never among the starts."""
    spec, space = both()
    streamed = CandidatePool.from_spec(spec, space)
    cold = streamed.restricted(lambda frame: (frame["temperature"] < 40).to_numpy())
    colder = cold.restricted(lambda frame: (frame["catalyst"] == "P2").to_numpy())
    assert sum(part.is_within.sum() for part in colder.chunks()) < sum(part.is_within.sum() for part in cold.chunks())
    starts = colder.starts(5, set(), np.random.default_rng(0)).frame
    assert (starts["temperature"] < 40).all() and (starts["catalyst"] == "P2").all() and len(starts) == 5


def test_a_file_is_read_through_once(both, monkeypatch, rows):
    """The second opening reads nothing but the content's hash; another content is read anew."""
    spec, space = both()
    first = CandidatePool.from_spec(spec, space)
    monkeypatch.setattr("discovery.space.stream_reading.read_chunks", None)
    assert CandidatePool.from_spec(spec, space).facts == first.facts
    spec, space = both(rows.iloc[:-1])
    with pytest.raises(TypeError):
        CandidatePool.from_spec(spec, space)


def test_a_cache_that_cannot_be_written_to_costs_time_only(both, monkeypatch, tmp_path):
    """Without a cache the pool lies in a temporary folder for as long as it lives."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DISCOVERY_CACHE", str(tmp_path / "file"))
    spec, space = both()
    streamed = CandidatePool.from_spec(spec, space)
    assert len(streamed.take(np.array([0]))) == 1 and streamed.holder is not None


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("catalyst", "P9", r"catalyst must be one of NA, P2, 01; got 'P9' at data row 401 of c.csv \(1 more\)"),
        (
            "temperature",
            900.0,
            r"temperature must be between 30 and 110; got '900.0' at data row 401 of c.csv \(1 more\)",
        ),
    ],
)
def test_wrong_cells_are_counted_and_the_first_is_named(both, rows, column, value, message):
    """File, row, column and value of the first, and how many there are, wherever in the file."""
    rows.loc[[400, 450], column] = value
    spec, space = both(rows)
    with pytest.raises(InputError, match=message):
        CandidatePool.from_spec(spec, space)
    with pytest.raises(InputError, match=message):
        in_memory(spec, space)


def test_a_missing_column_and_an_empty_pool_are_refused(both, rows):
    """Messages are those of pools in memory."""
    spec, space = both(rows.rename(columns={"catalyst": "cat"}))
    with pytest.raises(InputError, match=r"c\.csv must have the column 'catalyst'"):
        CandidatePool.from_spec(spec, space)
    spec, space = both(constraints=["temperature >= 100"])
    with pytest.raises(NoCandidateError, match=f"none of {N} rows does"):
        CandidatePool.from_spec(spec, space)


def test_damaged_files_are_refused(both, tmp_path):
    """A file that is no Parquet, or whose rows have too many cells, is refused by name."""
    spec, space = both()
    (tmp_path / "c.csv").write_text("catalyst,temperature\n" + "NA,30\n" * 200 + "NA,30,3,4\n")
    with pytest.raises(InputError, match=r"c\.csv cannot be read"):
        CandidatePool.from_spec(spec, space)


def test_many_molecules_are_refused(both):
    """Fingerprints of so many molecules do not fit into memory; the message says what to do."""
    molecule = [{"name": "catalyst", "type": "molecule"}]
    spec, space = both(parameters=molecule)
    with pytest.raises(NotSupportedError, match="at most 100 rows where a parameter is a molecule"):
        CandidatePool.from_spec(spec, space)


def test_rows_are_counted_without_reading_cells(tmp_path):
    """With and without a line break at the end; what is no table has no rows."""
    path = tmp_path / "c.csv"
    path.write_text("a,b\n1,2\n3,4")
    assert n_rows_of(path, 10) == 2
    path.write_text("a,b\n1,2\n3,4\n")
    assert n_rows_of(path, 10) == 2
    assert n_rows_of(tmp_path / "absent.csv", 10) == n_rows_of(tmp_path / "c.txt", 10) == 0
