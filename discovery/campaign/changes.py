"""What differs between two versions of a campaign file, key by key, in words that people read.

Parts with a name (parameters, outcomes, simulators) are compared by name, so that their order in the file is no
difference of each. Tables that shape the space are compared by their content.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from discovery.campaign.constraints import LinearConstraint, NonlinearConstraint
from discovery.campaign.parameters import CategoricalParameter
from discovery.campaign.parts import join_key

if TYPE_CHECKING:
    from discovery.campaign.spec import CampaignSpec

SHOWN = 80  # characters of a value that a sentence shows
TRAINED = "The hypotheses are trained again."
_EFFECTS = (
    (r"parameters\[.*\]\.(unit|held|step)", ""),
    (r"(parameters|mixtures).*", TRAINED),
    (r"experience.*", TRAINED),
    (r"hypotheses.*", "The belief starts from other prior weights; hypotheses that are new are trained."),
    (r"objectives\[.*\]\.goal", "Another end is best now; measurements and predictions that are stored stay."),
    (r"share|team", "Checkpoints that have learned from this campaign are used only where the new rule allows it."),
)


@dataclass(frozen=True)
class SpecChange:
    """One key that differs between two versions of a campaign file.

    Attributes:
        path: Key path, such as `parameters[temperature].bounds`.
        before: What stood there, as JSON value; None where there was nothing.
        after: What stands there now; None where there is nothing.
        effect: What follows from it, in sentences; may be empty.
    """

    path: str
    before: Any
    after: Any
    effect: str = ""

    def __str__(self) -> str:
        if isinstance(self.before, list) and isinstance(self.after, list):
            added = [_text(item) for item in self.after if item not in self.before]
            removed = [_text(item) for item in self.before if item not in self.after]
            is_set = (added or removed) and len(self.before) > 2  # bounds and windows read better whole
            if is_set or (added and not removed) or (removed and not added):
                said = [f"with {', '.join(added)}"] * bool(added) + [f"without {', '.join(removed)}"] * bool(removed)
                return f"{self.path}: {'; '.join(said)}"
        return f"{self.path}: {_text(self.before)} -> {_text(self.after)}"

    def and_then(self, effect: str) -> SpecChange:
        """Return the change with a further effect."""
        return replace(self, effect=f"{self.effect} {effect}".strip())


def differences(
    old: CampaignSpec, new: CampaignSpec, old_contents: Mapping[str, str] | None = None
) -> tuple[SpecChange, ...]:
    """Compare two versions of a campaign file.

    Args:
        old: The earlier version.
        new: The later version.
        old_contents: What `file_contents` gave for the earlier version; default: contents are not compared.

    Returns:
        What differs, in the order of the file, with effects that follow from the files alone.
    """
    found = list(_compare("", _said(old), _said(new)))
    paths = {change.path for change in found}
    before, after = old_contents or {}, file_contents(new)
    found += [
        SpecChange(path, before[path], after[path], "The file is the same and its content is not.")
        for path in before
        if path in after and path not in paths and before[path] != after[path]
    ]
    return tuple(change.and_then(_effect(change.path, new.objective.name)) for change in found)


def file_contents(spec: CampaignSpec) -> dict[str, str]:
    """Name the tables that shape the space by their content: key path to `<file>@<12 hex digits>`.

    A table that cannot be read is left out.
    """
    named = {"candidates": spec.candidates} if spec.candidates else {}
    for parameter in spec.parameters:
        if isinstance(parameter, CategoricalParameter) and parameter.descriptors:
            named[f"parameters[{parameter.name}].descriptors"] = parameter.descriptors
    for mixture in spec.mixtures:
        if mixture.descriptors:
            named[f"mixtures[{mixture.name}].descriptors"] = mixture.descriptors
    paths = {key: spec.resolve(path) for key, path in named.items()}
    return {key: f"{path.name}@{_hash(path)}" for key, path in paths.items() if path.is_file()}


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def _said(spec: CampaignSpec) -> dict[str, Any]:
    """Return what a file says as JSON values, constraints that may be written as text as text."""
    said = spec.model_dump(mode="json")
    said["constraints"] = [
        str(item) if isinstance(item, LinearConstraint | NonlinearConstraint) else item.model_dump(mode="json")
        for item in spec.constraints
    ]
    return said


def _compare(path: str, before: Any, after: Any) -> Iterator[SpecChange]:
    """Yield what differs below a key path."""
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            yield from _compare(join_key(path, key), before.get(key), after.get(key))
    elif _is_named(before) and _is_named(after):
        old, new = ({part["name"]: part for part in parts} for parts in (before, after))
        for name in dict.fromkeys([*old, *new]):
            yield from _compare(f"{path}[{name}]", old.get(name), new.get(name))
        orders = [[name for name in names if name in old and name in new] for names in (old, new)]
        if orders[0] != orders[1]:
            yield SpecChange(path, orders[0], orders[1])
    else:
        yield SpecChange(path, _spare(before), _spare(after))


def _is_named(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(part, Mapping) and "name" in part for part in value)


def _spare(value: Any) -> Any:
    """Leave keys out that say nothing."""
    if not isinstance(value, Mapping):
        return value
    return {key: _spare(item) for key, item in value.items() if item not in (None, "", [], {}) and item is not False}


def _effect(path: str, objective: str) -> str:
    if path in (f"outcomes[{objective}]", f"outcomes[{objective}].range"):
        return TRAINED  # it says on which scale the outcome varies
    return next((effect for pattern, effect in _EFFECTS if re.fullmatch(pattern, path)), "")


def _text(value: Any) -> str:
    """Write a JSON value on one line: text without quotes, whole numbers without a point, long ones cut."""
    if value is None:
        return "none"
    text = value if isinstance(value, str) else re.sub(r"(\d)\.0\b", r"\1", json.dumps(value, ensure_ascii=False))
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
