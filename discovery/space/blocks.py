"""Where parameters stand in the encoding."""

from __future__ import annotations

from dataclasses import dataclass

from discovery.space.codecs import Kind


@dataclass(frozen=True)
class Block:
    """Where a parameter stands in the encoding.

    Attributes:
        name: The parameter; a molecule's second block adds a word.
        kind: `continuous`, `discrete`, `categorical`, `boolean`, `molecule` (sets of fragments) or
            `molecule_descriptors`.
        start: First encoded coordinate.
        stop: One past the last encoded coordinate.
        n_values: Number of listed values; 0 for a continuous parameter.
        values: The listed values; empty for a continuous parameter.
        is_one_hot: Whether each value has a coordinate of its own.
    """

    name: str
    kind: Kind
    start: int
    stop: int
    n_values: int
    values: tuple[object, ...]
    is_one_hot: bool = False
