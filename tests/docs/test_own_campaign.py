"""docs/own-campaign.md is true: its commands work in its order, its table names every key, its refusals are given."""

from __future__ import annotations

import re
import runpy
import shutil
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from discovery.campaign import CampaignSpec, check_supported
from discovery.errors import NotSupportedError
from discovery.store import Store

TEXT = (Path(__file__).parents[2] / "docs" / "own-campaign.md").read_text(encoding="utf-8")
TABLE = [line.strip("| ").split(" | ") for line in TEXT.splitlines() if re.match(r"\| `[^`]+` \|", line)]
KEYS = {row[0].strip("`"): row for row in TABLE if len(row) == 5}
REFUSALS = [(row[0].strip("`"), row[1].strip("`")) for row in TABLE if len(row) == 2]
SPELLED = {None: "none", (): "none", "": "empty"}
SECTIONS = {"experience": "nothing", "acquisition": "see below", "budget": "see below", "review": "see below"}
SECTIONS["stop"] = "see below"


def test_commands_by_hand_end_as_written(walk):
    """Every command of the manual loop ends with the code that the document names, and without a traceback."""
    assert [(answer.command, answer.code, answer.err) for answer in walk if answer.code != answer.expected] == []
    assert len(walk) >= 15
    assert not any("Traceback" in answer.err for answer in walk)


def test_the_manual_loop_does_what_the_text_says(walk):
    """Two results land once, one row waits, one is set aside with its reason; the proposal can be replayed."""
    said = {answer.command: answer.out + answer.err for answer in walk}
    first, second = [answer for answer in walk if answer.command.startswith("discovery ingest")]
    assert "2 measurements added, 0 known already, 1 row rejected, 1 not measured yet" in first.out
    assert "row 4, temperature" in first.err and "'600'" in first.err
    assert "0 measurements added, 2 known already" in second.out
    assert "2 of 6 experiments measured, 0 open proposals" in said["discovery status lab.yaml"]
    assert "is the same when computed again" in said["discovery replay lab-c001-00"]


def test_a_wrong_number_is_corrected_as_written(walk, walk_folder, tmp_path, monkeypatch):
    """The script of the document puts the right number in the place of the wrong one, and nothing beside it."""
    monkeypatch.chdir(shutil.copytree(walk_folder, tmp_path / "copy"))
    before = Store("discovery.duckdb").measurements("lab")
    runpy.run_path("correct.py")
    after = Store("discovery.duckdb").measurements("lab")
    assert (before["yield"][0], after["yield"][0]) == (64.5, 65.4)
    assert after["yield"].tolist()[1:] == before["yield"].tolist()[1:]
    assert after["proposal_id"].tolist() == before["proposal_id"].tolist()


def test_the_manual_loop_leaves_what_the_text_says(walk, walk_folder):
    """Store, checkpoints, report, tables and backup lie where the document says."""
    left = ("discovery.duckdb", "models", "lab.html", "tables/measurements.parquet", "lab_backup.duckdb")
    assert [name for name in (*left, "restored.duckdb") if not (walk_folder / name).exists()] == []


@pytest.mark.slow
@pytest.mark.flow
def test_commands_that_take_long_end_as_written(long_walk, walk_folder):
    """The run as Prefect flows and the replays end as the document says, with a result."""
    assert [(answer.command, answer.code, answer.err) for answer in long_walk if answer.code != answer.expected] == []
    assert "2 of 20 experiments" in next(a.out for a in long_walk if a.command == "discovery status dry_run.yaml")
    assert (walk_folder / "backtest.json").is_file()


def test_every_key_is_in_the_table():
    """The table has exactly the keys of the schema."""
    assert sorted(KEYS) == sorted(SCHEMA)


@pytest.mark.parametrize("key", KEYS)
def test_defaults_are_as_written(key):
    """The default in the table is that of the schema; where kinds differ, both are named."""
    written = KEYS[key][2].replace("`", "")
    if key in SECTIONS:
        assert written == SECTIONS[key]
        return
    real = dict.fromkeys(_default(field) for field in SCHEMA[key])
    assert written.split(" or ") == sorted(real, key=lambda text: text == "required")


@pytest.mark.parametrize("key", KEYS)
def test_types_name_every_choice(key):
    """Where a key takes one of a few words, the table names all of them."""
    words = {word for field in SCHEMA[key] for word in _choices(field.annotation)}
    assert [word for word in words if f"`{word}`" not in KEYS[key][1]] == []


@pytest.mark.parametrize("key", KEYS)
def test_examples_are_valid(key):
    """The example in the table is a value that the key takes."""
    example = yaml.safe_load(KEYS[key][4].strip("`"))
    assert any(_takes(field, example) for field in SCHEMA[key])


@pytest.mark.parametrize(("written", "answer"), REFUSALS, ids=[answer for _, answer in REFUSALS])
def test_refusals_are_as_written(written, answer):
    """What is not supported yet is refused with the sentence in the table."""
    unit = [{"name": name, "type": "continuous", "bounds": [0, 1]} for name in ("a", "b")]
    data = {"name": "smallest", "parameters": unit, "objectives": [{"name": "y"}], **yaml.safe_load(written)}
    with pytest.raises(NotSupportedError) as caught:
        check_supported(CampaignSpec.from_mapping(data))
    assert caught.value.message.startswith(answer)


def test_every_refusal_is_in_the_table():
    """The table has a row for each thing that the code refuses."""
    source = (Path(__file__).parents[2] / "discovery" / "campaign" / "supported.py").read_text(encoding="utf-8")
    n_refusals = len(re.findall(r"\byield (?!from)", source)) - 1 + len(re.findall(r'return "a', source))
    kinds = {re.sub(r"\[\d\]", "", answer.partition(":")[0]) for _, answer in REFUSALS}
    assert len(REFUSALS) >= n_refusals
    assert kinds == set(re.sub(r"\[\{i\}\]|\[0\]", "", key) for key in re.findall(r'yield f?"([^"]+)"', source))


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield the path and the field of every key of a model and of the models within it."""
    for name, field in model.model_fields.items():
        path = f"{prefix}.{field.alias or name}".lstrip(".")
        yield path, field
        for inner, is_listed in _models(field.annotation):
            yield from _keys(inner, path + "[]" * is_listed)


def _models(annotation: Any, is_listed: bool = False) -> Iterator[tuple[type[BaseModel], bool]]:
    """Yield the models that an annotation holds, and whether they stand in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, is_listed
    elif get_origin(annotation) is Annotated:
        yield from _models(get_args(annotation)[0], is_listed)
    elif get_origin(annotation) in (Union, types.UnionType, tuple):
        for part in get_args(annotation):
            yield from _models(part, is_listed or get_origin(annotation) is tuple)


def _schema() -> dict[str, list[FieldInfo]]:
    """Return the fields of every key; several where kinds share one.

    Text stands for a linear outcome constraint, and a mixture is written under `parameters`.
    """
    found: dict[str, list[FieldInfo]] = {}
    for path, field in _keys(CampaignSpec):
        if not path.startswith(("outcome_constraints[", "mixtures[")):
            found.setdefault(path, []).append(field)
    return found


def _default(field: FieldInfo) -> str:
    """Write a default as the table does."""
    tags = _choices(field.annotation)
    if field.is_required():
        return "required"
    if len(tags) == 1:
        return tags[0]
    value = field.get_default(call_default_factory=True)
    value = () if value == {} else value
    return str(SPELLED.get(value, str(value).lower() if isinstance(value, bool) else value))


def _choices(annotation: Any) -> list[str]:
    """Return the words of a literal, also within a union."""
    if get_origin(annotation) is Literal:
        return [word for word in get_args(annotation) if isinstance(word, str)]
    if get_origin(annotation) in (Union, types.UnionType, Annotated):
        return [word for part in get_args(annotation) for word in _choices(part)]
    return []


def _takes(field: FieldInfo, value: object) -> bool:
    """Return whether a field accepts a value."""
    whole = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    try:
        TypeAdapter(whole).validate_python(value)
    except ValidationError:
        return False
    return True


SCHEMA = _schema()
