"""What the codecs of parameters written as text and chosen from candidates share: molecules and formulas.

Text identifies a candidate, numbers compare it, and going back from numbers means finding the nearest candidate.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from discovery.errors import ConfigurationError
from discovery.space.cells import CellFault, column_of, refuse
from discovery.space.descriptors import read_table


class ListedText(ABC):
    """A parameter whose values are canonical texts out of a table of candidates.

    Attributes:
        plural: What the values are, for messages.
        name: Name of the parameter.
        source: File of the candidates, or None.
    """

    plural: ClassVar[str]

    name: str
    source: Path | None

    @abstractmethod
    def read(self, cells: pd.Series) -> tuple[np.ndarray, list[CellFault]]:
        """Return canonical texts, empty where a cell is refused, and the faults."""

    @abstractmethod
    def encode(self, canonical: np.ndarray) -> np.ndarray:
        """Return coordinates. Shape `n x n_dims`."""

    def decode(self, X: np.ndarray) -> np.ndarray:
        """Return the canonical texts of the nearest candidates. Shape `n`.

        Raises:
            ConfigurationError: If there are no candidates.
        """
        table = self._coordinates
        squares = np.einsum("kd,kd->k", table, table)
        return self.candidates[np.argmin(squares - 2.0 * (X @ table.T), axis=1)]

    def column(self, canonical: np.ndarray) -> np.ndarray:
        """Return the canonical texts themselves."""
        return canonical

    def texts(self, canonical: np.ndarray) -> np.ndarray:
        """Return canonical texts in quotes."""
        return np.array([json.dumps(text) for text in canonical], dtype=object)

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw candidates uniformly. Shape `n`."""
        return self.candidates[rng.integers(len(self.candidates), size=n)]

    @cached_property
    def candidates(self) -> np.ndarray:
        """Canonical texts of the candidates, each once. Shape `k`.

        Raises:
            ConfigurationError: If the space was made without candidates.
            InputError: If a cell cannot be read.
        """
        if self.source is None:
            raise ConfigurationError(
                f"{self.plural} of {self.name!r} must be listed in candidates to be found; got none."
            )
        texts, faults = self.read(column_of(read_table(self.source), self.name, str(self.source)))
        refuse(faults, str(self.source))
        return pd.unique(texts)

    @cached_property
    def _coordinates(self) -> np.ndarray:
        """Coordinates of the candidates. Shape `k x n_dims`."""
        return self.encode(self.candidates)
