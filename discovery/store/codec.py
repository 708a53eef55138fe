"""Values to JSON columns and back, exactly: doubles keep every bit, infinities travel as words, rows become columns."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from discovery.belief.records import HypothesisPrediction

MIXTURE = ("log_weights", "means", "sds")
STAGE = "stage"


def to_json(value: object) -> str:
    """Encode one value; NaN becomes null and infinities become the words `Infinity` and `-Infinity`.

    Example:
        >>> to_json({"a": float("nan"), "b": (1.0, float("-inf"))})
        '{"a": null, "b": [1.0, "-Infinity"]}'
    """
    return json.dumps(_plain(value), allow_nan=False, ensure_ascii=False)


def rows_to_json(frame: pd.DataFrame, skip_missing: bool = False) -> list[str]:
    """Encode every row of a frame as one object; with `skip_missing` an empty cell is left out."""
    if frame.columns.empty:
        return ["{}"] * len(frame)
    records = frame.to_dict("records")
    if skip_missing:
        records = [{name: cell for name, cell in record.items() if not pd.isna(cell)} for record in records]
    return [to_json(record) for record in records]


def from_json_rows(column: Iterable[str | None]) -> pd.DataFrame:
    """Decode a column of objects into a frame with one column per name, in the order of first appearance."""
    texts = [text if isinstance(text, str) else "{}" for text in column]
    return pd.DataFrame(json.loads(f"[{','.join(texts)}]"))


def widen(frame: pd.DataFrame, column: str, names: Sequence[str], suffix: str = "") -> pd.DataFrame:
    """Return the objects of a JSON column as real columns with the given names; a name that no row has is empty."""
    cells = from_json_rows(frame[column]).reindex(columns=list(names))
    cells.index = frame.index
    return cells.rename(columns={name: f"{name}{suffix}" for name in names})


def predictions_to_json(predictions: Sequence[HypothesisPrediction]) -> str:
    """Encode what the hypotheses said."""
    return to_json([asdict(prediction) for prediction in predictions])


def predictions_from_json(text: str) -> tuple[HypothesisPrediction, ...]:
    """Decode what the hypotheses said, equal to what was stored."""
    return _predictions(json.loads(text))


def detail_to_json(
    others: Mapping[str, Sequence[HypothesisPrediction]], numbers: Mapping[str, float], stage: str = ""
) -> str:
    """Encode what a proposal says beside the first outcome: each further outcome, numbers by name, and its stage."""
    from discovery.belief.records import mix

    outcomes = {
        name: {"mean": mix(said).mean, "sd": mix(said).sd, "predictions": [asdict(one) for one in said]}
        for name, said in others.items()
    }
    said = {"outcomes": outcomes, "numbers": numbers, STAGE: stage}
    return to_json({name: value for name, value in said.items() if value})


def detail_from_json(
    text: str | None,
) -> tuple[dict[str, tuple[HypothesisPrediction, ...]], dict[str, float], str]:
    """Decode what a proposal says beside the first outcome: predictions by outcome, numbers, and its stage."""
    stored: dict[str, Any] = json.loads(text or "{}")
    others = {name: _predictions(said["predictions"]) for name, said in stored.get("outcomes", {}).items()}
    return others, {name: float(value) for name, value in stored.get("numbers", {}).items()}, stored.get(STAGE, "")


def detail_columns(column: pd.Series) -> pd.DataFrame:
    """Return what proposals say beside the first outcome as columns: `stage`, `<y>_mean`, `<y>_sd` and numbers.

    There is no column `stage` where no proposal is for one.
    """
    rows, stages = [], []
    for text in column:
        stored: dict[str, Any] = json.loads(text or "{}")
        means = {
            f"{name}_{word}": said[word] for name, said in stored.get("outcomes", {}).items() for word in ("mean", "sd")
        }
        rows.append({**means, **stored.get("numbers", {})})
        stages.append(stored.get(STAGE, ""))
    frame = pd.DataFrame(rows, index=column.index).astype("float64")
    if any(stages):
        frame.insert(0, STAGE, pd.Series(stages, index=column.index, dtype=object))
    return frame


def _predictions(records: list[dict[str, Any]]) -> tuple[HypothesisPrediction, ...]:
    from discovery.belief.records import HypothesisPrediction

    for record in records:
        record.update({name: tuple(map(float, record[name])) for name in MIXTURE})
    return tuple(HypothesisPrediction(**record) for record in records)


def _plain(value: Any) -> Any:
    """Turn NumPy scalars, tuples, times and non-finite numbers into what JSON has."""
    if isinstance(value, Mapping):
        return {str(name): _plain(cell) for name, cell in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(cell) for cell in value]
    if isinstance(value, str | bool | int) or value is None:
        return value
    if hasattr(value, "item"):
        return _plain(value.item())
    if isinstance(value, float):
        return _finite(value)
    return None if pd.isna(value) else str(value)


def _finite(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
