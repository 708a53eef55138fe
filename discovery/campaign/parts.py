"""What every part of a campaign file shares: frozen, strict about keys, faults that name their key.

A fault found by a validator travels as a pydantic error that carries the key path and the advice; `explain` turns all
of pydantic's errors into sentences that name file, key, what came and what to write instead.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from discovery.errors import ConfigurationError

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, ge=0)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]

_WANTED = {
    "missing": "be given",
    "string_type": "be text (put quotes around it)",
    "string_too_short": "not be empty",
    "float_type": "be a number",
    "finite_number": "be a finite number",
    "int_type": "be a whole number",
    "bool_type": "be true or false",
    "bool_parsing": "be true or false",
    "tuple_type": "be a list",
    "too_short": "have at least {min_length} entries",
    "too_long": "have at most {max_length} entries",
    "greater_than_equal": "be at least {ge:g}",
    "greater_than": "be above {gt:g}",
    "less_than_equal": "be at most {le:g}",
    "model_type": "be a mapping of keys to values",
    "model_attributes_type": "be a mapping of keys to values",
    "dict_type": "be a mapping of keys to values",
    "union_tag_not_found": "be a mapping with a `type`",
}


def fault(key: str, message: str, hint: str = "") -> PydanticCustomError:
    """Return the error that a validator raises.

    Args:
        key: Key path from the part that validates, such as `parameters[0].bounds`; may be empty.
        message: What must hold and what came, without the place.
        hint: What to do; may be empty.
    """
    return PydanticCustomError("campaign", "{text}", {"text": message, "key": key, "hint": hint})


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `Did you mean ...?` for the known word closest to a wrong one, else the list of known words, if any."""
    options = list(known)
    match = difflib.get_close_matches(str(word), options, n=1, cutoff=0.6)
    known = f"Known: {', '.join(map(repr, options))}." if options else ""
    return f"Did you mean {match[0]!r}?" if match else known


class Part(BaseModel):
    """Base of every part of a campaign file: frozen, and unknown keys are refused with the nearest known one."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and cls.model_config.get("extra") == "forbid":
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in data:
                if key not in known and key not in cls.model_fields:
                    raise fault(str(key), "unknown key", nearest(str(key), known))
        return data


def explain(error: ValidationError, data: object, source: str = "") -> ConfigurationError:
    """Turn pydantic's errors into one error with a sentence for each fault.

    Args:
        error: What pydantic raised.
        data: The mapping that was validated; tells keys apart from pydantic's own path elements.
        source: File that it was read from; may be empty.
    """
    details = [detail for detail in error.errors(include_url=False) if not _is_echo(detail)]
    sentences = [_sentence(detail, data, f" (in {source})" if source else "") for detail in details]
    if len(sentences) == 1:
        return ConfigurationError(*sentences[0])
    return ConfigurationError("\n".join(f"{message} {hint}".strip() for message, hint in sentences))


def _is_echo(detail: ErrorDetails) -> bool:
    """Return whether a list counts as too short only because its entries are wrong, which other errors say."""
    if detail["type"] != "too_short":
        return False
    n_good, got = detail.get("ctx", {}).get("actual_length", 0), detail["input"]
    return isinstance(got, list | tuple) and len(got) > n_good


def _sentence(detail: ErrorDetails, data: object, place: str) -> tuple[str, str]:
    """Return message and hint for one of pydantic's errors."""
    kind, got, context = detail["type"], detail["input"], detail.get("ctx", {})
    key = join_key(_key_path(detail["loc"], data), str(context.get("key", "")))
    if kind == "campaign":
        return _place(str(context["text"]), key, place), str(context["hint"])
    if kind in ("literal_error", "union_tag_invalid"):
        listed = str(context.get("expected", context.get("expected_tags")))
        options = listed.replace(", '<plug-in>'", "")
        key = join_key(key, "type") if kind == "union_tag_invalid" else key
        tag = context.get("tag", got)
        hint = nearest(tag, re.findall(r"'(.*?)'", options))
        if options != listed and hint.startswith("Known"):
            hint = "If it comes with a plug-in, install that in this environment."
        return f"{key} must be one of {options}; got {tag!r}{place}.", hint
    came = "" if kind == "missing" or isinstance(got, Mapping) else f"; got {got!r}"
    rule = _WANTED.get(kind, "").format(**context)
    rule = f"must {rule}" if rule else f"is wrong: {detail['msg'][:1].lower()}{detail['msg'][1:]}"
    return f"{key or 'The campaign'} {rule}{came}{place}.", ""


def _place(text: str, key: str, place: str) -> str:
    """Return a fault's text with key and file where they belong."""
    if text == "unknown key":
        return f"Unknown key {key}{place}."
    return f"{key} {text}{place}." if key else f"{text[:1].upper()}{text[1:]}{place}."


def join_key(prefix: str, key: str) -> str:
    """Join two key paths: `a.b` and `c` to `a.b.c`, `a` and `[0]` to `a[0]`."""
    return f"{prefix}.{key}" if prefix and key and not key.startswith("[") else prefix + key


def _key_path(loc: tuple[int | str, ...], data: object) -> str:
    """Return `parameters[0].bounds[1]`, leaving out the tags of unions that pydantic puts into a path."""
    path, here, tagged = "", data, False
    for part in loc:
        if isinstance(part, int):
            path, here = f"{path}[{part}]", here[part] if isinstance(here, list | tuple) and part < len(here) else None
            tagged = False
        elif part.startswith("<") or (not tagged and isinstance(here, Mapping) and part == here.get("type")):
            tagged = True
        else:
            path, here = join_key(path, part), here.get(part) if isinstance(here, Mapping) else None
            tagged = False
    return path
