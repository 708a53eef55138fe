"""Shape letters and their checks: `t` tasks, `s` support, `r` query, `n` measurements, `d` dimensions, `q` candidates.

The letters are defined once, in docs/shapes.md; a failed check names the argument, the expected and the given shape.
"""

from __future__ import annotations

from typing import Protocol

from discovery.errors import ShapeError


class HasShape(Protocol):
    """Anything with a shape: a NumPy array, a torch tensor, a DataFrame."""

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102


def check_shape(name: str, value: HasShape, expected: str, **known: int) -> dict[str, int]:
    """Check a shape written in letters and return what the letters stand for.

    Args:
        name: The argument's name, for the message.
        value: The tensor or table.
        expected: Letters separated by ` x `, such as `"n x d"`; a number stands for itself.
        **known: Sizes that are fixed already.

    Returns:
        The size of every letter.

    Raises:
        ShapeError: If the number of dimensions or a known size differs.

    Example:
        >>> import numpy as np
        >>> check_shape("X", np.zeros((3, 2)), "n x d", d=2)
        {'d': 2, 'n': 3}
    """
    letters = expected.split(" x ")
    got = tuple(value.shape)
    sizes = dict(known)
    fits = len(letters) == len(got)
    for letter, size in zip(letters, got, strict=False):
        wanted = int(letter) if letter.isdigit() else sizes.setdefault(letter, size)
        fits = fits and wanted == size
    if not fits:
        fixed = ", ".join(f"{k} = {v}" for k, v in known.items())
        raise ShapeError(f"{name} must have shape {expected}{f' with {fixed}' if fixed else ''}; got {got}.")
    return sizes
