"""Tables with several tasks become one task per level, in the campaign's units, and never teach it its own answers."""

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError
from discovery.space import SearchSpace
from discovery.tasks import read_history

PARAMETERS = [{"name": "temperature", "type": "continuous", "bounds": [0, 100], "unit": "degC"}]


def rows(substrate, n=4, shift=0.0, unit="K"):
    """Rows of one substrate; temperatures 0, 25, 50 and 75 degrees Celsius."""
    celsius = 25.0 * np.arange(n)
    temperature = celsius + 273.15 if unit == "K" else celsius
    return pd.DataFrame({"substrate": substrate, "temperature": temperature, "yield": celsius + shift})


def campaign(folder, history, own=None, **changes):
    """A campaign with one temperature, and history as given."""
    if own is not None:
        own.to_csv(folder / "own.csv", index=False)
    data = {
        "name": "c",
        "parameters": PARAMETERS,
        "outcomes": [{"name": "yield", "unit": "%"}],
        "objectives": [{"name": "yield"}],
        "experience": {"history": [history]},
        **({} if own is None else {"candidates": "own.csv"}),
        **changes,
    }
    return CampaignSpec.from_mapping(data, base_dir=folder)


def read(spec):
    return read_history(spec.experience.history, spec, SearchSpace.from_spec(spec))


@pytest.fixture
def all_csv(tmp_path):
    """Three substrates in one table, temperatures in kelvin."""
    pd.concat([rows("a"), rows("b", shift=5), rows("c", shift=9)]).to_csv(tmp_path / "all.csv", index=False)
    return tmp_path


def test_each_level_is_a_task_in_the_campaigns_units(all_csv):
    """Kelvin land at the coordinates of degrees Celsius, exactly, and each substrate keeps its own outcomes."""
    history = read(campaign(all_csv, {"file": "all.csv", "task": "substrate", "units": {"temperature": "K"}}))
    assert [task.task_id for task in history.tasks] == [f"all.csv [substrate={level}]" for level in "abc"]
    for task, shift in zip(history.tasks, (0, 5, 9), strict=True):
        np.testing.assert_allclose(task.X[:, 0], [0, 0.25, 0.5, 0.75], atol=1e-12)
        np.testing.assert_allclose(task.Y[:, 0], np.array([0, 25, 50, 75]) + shift)
    assert not history.dropped and not history.unused


@pytest.mark.parametrize(
    ("keys", "kept"), [({"except": ["b"]}, "ac"), ({"only": ["c"]}, "c"), ({"only": ["c", "a"], "except": ["b"]}, "ac")]
)
def test_levels_are_chosen(all_csv, keys, kept):
    """What the campaign is about can be left out, or what is learned from be named."""
    entry = {"file": "all.csv", "task": "substrate", "units": {"temperature": "K"}, **keys}
    assert [task.task_id[-2] for task in read(campaign(all_csv, entry)).tasks] == list(kept)


def test_levels_of_the_own_tables_are_left_out(all_csv):
    """A column of the candidates that names the task says what the campaign itself is about."""
    own = rows("b", unit="degC").drop(columns="yield")
    spec = campaign(all_csv, {"file": "all.csv", "task": "substrate", "units": {"temperature": "K"}}, own)
    assert [task.task_id[-2] for task in read(spec).tasks] == ["a", "c"]


def test_a_level_of_own_measurements_is_refused(all_csv):
    """The campaign's own answers are found by what they are, whatever they are called and in whatever unit."""
    own = rows("b", shift=5, unit="degC").drop(columns="substrate")
    entry = {"file": "all.csv", "task": "substrate", "units": {"temperature": "K"}}
    with pytest.raises(ConfigurationError, match=r"own measurements; 4 of 4 rows of all.csv \[substrate=b\]"):
        read(campaign(all_csv, entry, own))
    assert len(read(campaign(all_csv, {**entry, "except": ["b"]}, own)).tasks) == 2


def test_rows_without_a_task_are_listed(all_csv):
    """A blank cell in the column of tasks keeps its row out, with the reason."""
    table = pd.concat([rows("a"), rows(None, 1)])
    table.to_csv(all_csv / "all.csv", index=False)
    history = read(campaign(all_csv, {"file": "all.csv", "task": "substrate", "units": {"temperature": "K"}}))
    assert history.n_dropped == {"all.csv": 1} and len(history.tasks) == 1
    assert history.dropped["all.csv"][0].reason == "must name the task"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"task": "temperature"}, "neither parameter nor outcome; got 'temperature'"),
        ({"task": "substrate", "except": ["z"]}, "'z' must be a level of 'substrate'"),
        ({"task": "substrate", "except": ["a", "b", "c"]}, "other than those left out"),
        ({"except": ["a"]}, "except must stand beside task"),
        ({"units": {"temperature": "m"}}, r"units.temperature must be one that can be turned into 'degC'"),
        ({"units": {"temperature": "warm"}}, "must be known to be converted; got 'warm'"),
        ({"units": {"pressure": "bar"}}, "must name a parameter or an outcome; got 'pressure'"),
        ({"task": "substrate", "exept": ["a"]}, "Did you mean 'except'"),
    ],
)
def test_what_cannot_be_is_refused(all_csv, entry, message):
    """Columns, levels and units that do not fit are refused with a sentence."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        read(campaign(all_csv, {"file": "all.csv", **entry}))
    assert "Did you" in message or caught.value.message.startswith("experience.history")


def test_errors_and_bounds_are_converted_too(tmp_path):
    """A standard error has no offset; a censored cell keeps its sign; text stays for the checks."""
    from discovery.campaign import FileRef
    from discovery.tasks.history_files import read_file

    table = pd.DataFrame({"temperature": ["300", "warm", ""], "yield": ["<0.5", "0.25", "> 1"], "yield_sem": [0.1] * 3})
    table.to_csv(tmp_path / "old.csv", index=False)
    spec = campaign(tmp_path, "old.csv", outcomes=[{"name": "yield", "unit": "degC"}])
    found = read_file(FileRef(file="old.csv", units={"temperature": "K", "yield": "degF"}), spec).frame
    assert found["temperature"].tolist()[:2] == ["26.85", "warm"]
    assert found["yield"].tolist() == ["<-17.5", "-17.6388888889", ">-17.2222222222"]
    np.testing.assert_allclose(found["yield_sem"].astype(float), 0.1 * 5 / 9)
