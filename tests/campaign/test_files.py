"""Promises of `discovery.campaign.files`: what is read, refused, written back and started."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.campaign import CampaignSpec, dump_spec, load_spec, write_template
from discovery.errors import ConfigurationError, NotSupportedError

FILE = """
name: suzuki
parameters:
  - {name: catalyst, type: categorical, values: [P1-L1, P1-L2]}
  - {name: temperature, type: continuous, bounds: [30, 110], unit: degC}
  - {name: loading, type: continuous, bounds: [0.5, 2.5], scale: log}
  - {name: equivalents, type: discrete, values: [2, 1, 1.5]}
objectives: [{name: yield}]
"""


@pytest.fixture
def write(tmp_path):
    def write_text(text, name="campaign.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_text


def test_a_file_becomes_a_spec_in_its_folder(write):
    """A campaign file is read, and its relative paths start from its folder."""
    path = write(FILE)
    spec = load_spec(path)
    assert spec.parameter_names == ["catalyst", "temperature", "loading", "equivalents"]
    assert spec.base_dir == path.parent
    assert spec.resolve("x.csv") == path.parent / "x.csv"


def test_every_key_of_the_contract_parses(write):
    """Every key of the documented campaign file is read, with files present."""
    for name in ("case_4.csv", "case_1.csv", "catalysts.csv"):
        write("a,b\n1,2\n", name)
    spec = load_spec(
        write("""
name: suzuki-case-4
parameters:
  - {name: catalyst, type: categorical, values: [P1-L1, P1-L2], descriptors: catalysts.csv}
  - {name: temperature, type: continuous, bounds: [30, 110], unit: degC}
  - {name: loading, type: continuous, bounds: [0.5, 2.5], unit: mol%, scale: log}
  - {name: equivalents, type: discrete, values: [1, 1.5, 2]}
  - {name: Fe, type: continuous, bounds: [0, 1]}
  - {name: Co, type: continuous, bounds: [0, 1]}
constraints:
  - "temperature + 10*loading <= 120"
  - {type: simplex, parameters: [Fe, Co], total: 1.0}
  - {type: cardinality, parameters: [Fe, Co], max: 2}
  - {type: exclude, when: {catalyst: P1-L1, equivalents: 2}}
outcomes: [{name: yield, unit: "%", range: [0, 100]}]
objectives: [{name: yield, goal: maximize}]
candidates: case_4.csv
experience:
  simulators: [{name: reaction_kinetics, n_steps: 3}, {name: gp_prior}]
  history: [case_1.csv, {campaign: other-campaign-in-the-store}]
hypotheses: [{name: no_transfer, weight: 0.2}, {name: history, weight: 0.6}, {name: "simulator:gp_prior", weight: 0.2}]
acquisition: {name: log_ei, batch_size: 4, discrimination: 0.0, allow_replicates: true}
budget: {experiments: 40, initial: 0}
experiment: {type: table, path: case_4.csv}
review: {mode: required, timeout: 7d}
stop: {target: 95}
schedule: "0 6 * * 1-5"
store: duckdb:///lab.duckdb
seed: 0
""")
    )
    assert spec.experience.simulators[0].overrides == {"n_steps": 3}
    assert spec.review.timeout_s == 7 * 86400
    assert spec.hypotheses[1].weight == 0.6
    assert spec.stop.target == 95


def test_toml_and_json_say_the_same_as_yaml(write):
    """The three formats give equal specs with equal hashes."""
    from_yaml = load_spec(write(FILE))
    from_json = load_spec(write(from_yaml.model_dump_json(exclude_none=True), "c.json"))
    toml = """
name = "suzuki"
objectives = [{name = "yield"}]
parameters = [
  {name = "catalyst", type = "categorical", values = ["P1-L1", "P1-L2"]},
  {name = "temperature", type = "continuous", bounds = [30, 110], unit = "degC"},
  {name = "loading", type = "continuous", bounds = [0.5, 2.5], scale = "log"},
  {name = "equivalents", type = "discrete", values = [2, 1, 1.5]},
]
"""
    from_toml = load_spec(write(toml, "c.toml"))
    assert from_yaml == from_json == from_toml
    assert from_yaml.spec_hash == from_json.spec_hash == from_toml.spec_hash


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("1", "1"),
        ("1.0", "1"),
        ("1.5", "1.5"),
        ("1e-3", "0.001"),
        ("true", "true"),
        ("'01'", "01"),
        ("'null'", "null"),
        ("None", "None"),
        ("NA", "NA"),
        ("'a,b[c]'", "a,b[c]"),
        ("' x '", "x"),
    ],
)
def test_yaml_quirks_do_not_change_categories(write, written, expected):
    """What a person writes as a category is the category: `no` is no truth value, `12:30` no number of seconds."""
    spec = load_spec(write(FILE.replace("P1-L1", written)))
    assert spec.parameters[0].values[0] == expected


def test_numbers_in_scientific_notation_are_numbers(write):
    """`5e-1` and `+2.5` count as numbers."""
    assert load_spec(write(FILE.replace("[0.5, 2.5]", "[5e-1, +2.5]"))).parameters[2].bounds == (0.5, 2.5)


@pytest.mark.parametrize(
    ("old", "new", "key", "advice"),
    [
        ("objectives:", "objectivs:", "Unknown key objectivs", "Did you mean 'objectives'?"),
        ("bounds: [30", "bound: [30", "Unknown key parameters[1].bound", "Did you mean 'bounds'?"),
        ("[30, 110]", "[110, 30]", "parameters[1].bounds", "low below high; got [110, 30]"),
        ("[30, 110]", "[30, 30]", "parameters[1].bounds", "low below high"),
        ("[30, 110]", "[30, hot]", "parameters[1].bounds[1]", "must be a number; got 'hot'"),
        ("[30, 110]", "[30, true]", "parameters[1].bounds[1]", "must be a number; got True"),
        ("[30, 110]", "[30, .inf]", "parameters[1].bounds[1]", "finite"),
        ("[30, 110]", "[30, 50, 110]", "parameters[1].bounds", "at most 2 entries"),
        ("[0.5, 2.5]", "[0, 2.5]", "parameters[2].bounds", "above 0 on a log scale; got 0"),
        ("scale: log", "scale: lag", "parameters[2].scale", "Did you mean 'log'?"),
        ("type: discrete", "type: discret", "parameters[3].type", "Did you mean 'discrete'?"),
        ("type: discrete, ", "", "parameters[3]", "a `type`"),
        ("[2, 1, 1.5]", "[2, 2.0]", "parameters[3].values", "got 2 twice"),
        ("[2, 1, 1.5]", "[]", "parameters[3].values", "at least 1"),
        ("P1-L2", "P1-L1", "parameters[0].values", "got 'P1-L1' twice"),
        ("P1-L2", "null", "parameters[0].values[1]", "'null'"),
        ("name: suzuki", "name: 3", "name", "quotes"),
        ("name: suzuki", "name: a\nname: b", "not valid YAML", "'name' stands there twice"),
        ("[{name: yield}]", "[]", "objectives", "at least 1"),
        ("objectives: [{name: yield}]", "", "objectives", "must be given"),
        ("{name: yield}", "{name: yield}]\nseed: [", "seed", "whole number"),
    ],
)
def test_a_wrong_key_is_refused_with_its_place(write, old, new, key, advice):
    """A fault names the file, the key and what to write instead."""
    assert old in FILE
    path = write(FILE.replace(old, new, 1))
    with pytest.raises(ConfigurationError) as caught:
        load_spec(path)
    text = str(caught.value)
    assert key in text and advice in text and str(path) in text


def test_all_faults_are_told_at_once(write):
    """Two faults in two sections give two sentences."""
    with pytest.raises(ConfigurationError) as caught:
        load_spec(write(FILE.replace("[0.5, 2.5]", "[0, 2.5]") + "budget: {experiments: 0}\n"))
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert "parameters[2].bounds" in lines[0] and "budget.experiments must be at least 1" in lines[1]


@pytest.mark.parametrize(
    ("extra", "key"),
    [
        ("candidates: nope.csv", "candidates"),
        ("experience: {history: [nope.csv]}", "experience.history[0]"),
        ("experience: {history: [{file: nope.csv, held: {temperature: 30}}]}", "experience.history[0]"),
        ("candidates: campaign.yaml\nexperiment: {type: table, path: nope.csv}", "experiment.path"),
    ],
)
def test_files_that_are_named_must_exist(write, extra, key):
    """A path that leads nowhere is refused with its key."""
    with pytest.raises(ConfigurationError, match=r"must be an existing file; got 'nope.csv'") as caught:
        load_spec(write(FILE + extra))
    assert str(caught.value).startswith(key)


def test_missing_descriptors_are_refused_with_their_key(write):
    """A descriptor file that does not exist is refused."""
    with pytest.raises(ConfigurationError, match=r"parameters\[0\].descriptors must be an existing file"):
        load_spec(write(FILE.replace("P1-L2]", "P1-L2], descriptors: nope.csv")))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.txt", FILE, "must end in .yaml"),
        ("c.yaml", "- a\n- b\n", "must hold a mapping"),
        ("c.yaml", "", "must hold a mapping"),
        ("c.yaml", "a: [", "not valid YAML"),
        ("c.json", "{", "not valid JSON"),
        ("c.toml", "a = ", "not valid TOML"),
        ("c.yaml", "!!python/object/apply:os.getcwd []", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_campaign_is_refused(write, name, content, message):
    """Other formats and damaged files give one sentence."""
    with pytest.raises(ConfigurationError, match=message):
        load_spec(write(content, name))


def test_an_absent_file_is_refused(tmp_path):
    """A path without a file gives one sentence."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_spec(tmp_path / "nope.yaml")


def test_what_is_not_built_names_the_file(write):
    """A request beyond this release is refused with key and file."""
    path = write(FILE + "outcome_constraints: [impurity == 5]\n")
    with pytest.raises(NotSupportedError, match=r"outcome_constraints: .* not supported yet") as caught:
        load_spec(path)
    assert str(path) in str(caught.value)


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8) | st.sampled_from(
    ["no", "1e-3", "1_000", "0x1F", "12:30", "~", "null", "true", "=", "<<", "2024-01-01", "- a", "a: b", "#", "'", '"']
)


@given(levels=st.lists(NAMES, min_size=1, max_size=4, unique=True), name=NAMES, low=st.floats(-1e9, 1e9))
def test_what_is_written_reads_back_equal(tmp_path_factory, levels, name, low):
    """A spec dumped as YAML, as JSON and as stored text reads back as the same spec with the same hash."""
    spec = CampaignSpec.from_mapping(
        {
            "name": name,
            "parameters": [
                {"name": "a b", "type": "categorical", "values": levels},
                {"name": "x", "type": "continuous", "bounds": [low, abs(low) + 1.0]},
            ],
            "objectives": [{"name": "an outcome"}],
            "experience": {"simulators": [{"name": "gp_prior", "note": levels[0]}]},
        },
        tmp_path_factory.getbasetemp(),
    )
    path = tmp_path_factory.getbasetemp() / "round_trip.yaml"
    dump_spec(spec, path)
    assert load_spec(path) == spec
    dump_spec(spec, path.with_suffix(".json"))
    again = CampaignSpec.from_json(spec.model_dump_json(), spec.base_dir)
    assert load_spec(path.with_suffix(".json")) == spec == again
    assert again.spec_hash == spec.spec_hash


def test_a_spec_is_written_as_yaml_or_json_only(write):
    """Other formats are refused."""
    with pytest.raises(NotSupportedError, match="can be written as"):
        dump_spec(load_spec(write(FILE)), "c.toml")


def test_a_new_campaign_is_valid_as_it_stands(tmp_path):
    """The template that `discovery init` writes loads, and its example of candidates is there."""
    files = write_template("my-campaign", tmp_path)
    spec = load_spec(files[0])
    assert spec.name == "my-campaign"
    assert spec.resolve(spec.candidates) == files[1]


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x"])
def test_a_new_campaign_needs_a_name_that_files_can_have(tmp_path, name):
    """Names that would leave the folder or break commands are refused."""
    with pytest.raises(ConfigurationError, match="must be of letters"):
        write_template(name, tmp_path)


def test_a_new_campaign_overwrites_nothing(tmp_path):
    """A second campaign of the same name is refused and the first is left alone."""
    first = write_template("x", tmp_path)[0]
    first.write_text("mine")
    with pytest.raises(ConfigurationError, match="overwrite"):
        write_template("x", tmp_path)
    assert first.read_text() == "mine"


def test_the_room_loads_nothing_heavy():
    """`import discovery.campaign` loads neither torch, duckdb, prefect, pandas nor numpy."""
    code = "import sys, json, discovery.campaign; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert not {"torch", "duckdb", "prefect", "pandas", "numpy"} & set(json.loads(done.stdout))
