"""A composition's way between a formula and encoded coordinates: fractions of elements, then properties.

Identity of a composition is its canonical formula (`discovery.space.formulas`). Scales come from the candidates, inputs
only: fractions and properties that do not vary over them are left out, and so are properties that say what another one
says. Formulas beyond the candidates, from history or results nobody proposed, leave the unit interval.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from discovery.campaign import CampaignSpec, CompositionParameter
from discovery.errors import ConfigurationError
from discovery.space.cells import CellFault, faults_where, is_blank
from discovery.space.codecs import Kind, Part
from discovery.space.elemental import PROPERTIES, weighted_means
from discovery.space.formulas import fractions_of, read_formula
from discovery.space.listed_text import ListedText

FEATURES = (*(f"mean {name}" for name in PROPERTIES), *(f"spread of {name}" for name in PROPERTIES))
"""What a composition's properties are; the scale of each campaign says which of them vary."""
SAME = 0.9  # correlation over the candidates above which a property says what an earlier one says
VARIES = 1e-9  # of a fraction or property, relative: what is less is rounding


@dataclass(frozen=True)
class Scale:
    """Which columns are used, and what brings each into the unit interval.

    Attributes:
        names: Names of the columns. Length `k`.
        low: Value at coordinate 0. Length `k`.
        width: Difference to the value at coordinate 1; above zero. Length `k`.
    """

    names: tuple[str, ...]
    low: tuple[float, ...]
    width: tuple[float, ...]

    @classmethod
    def of(cls, names: tuple[str, ...], values: np.ndarray, most_alike: float = 1.0) -> Scale:
        """Read the scale off values of shape `n x k`.

        Args:
            names: Name of each column.
            values: One row per composition.
            most_alike: Columns that correlate more than this with an earlier one are left out.
        """
        low, width = values.min(axis=0), np.ptp(values, axis=0)
        varies = width > VARIES * (np.abs(values).max(axis=0) + 1e-3)
        kept = decorrelated(values, np.flatnonzero(varies), most_alike)
        return cls(
            tuple(names[i] for i in kept),
            tuple(float(f"{low[i]:.12g}") for i in kept),
            tuple(float(f"{width[i]:.12g}") for i in kept),
        )

    def __call__(self, columns: dict[str, np.ndarray], n: int) -> np.ndarray:
        """Scale columns by name, each of length `n`. Shape `n x k`."""
        raw = np.array([columns.get(name, np.zeros(n)) for name in self.names]).reshape(len(self.names), n)
        return ((raw.T - np.array(self.low)) / np.array(self.width)).round(12)


def decorrelated(values: np.ndarray, kept: np.ndarray, most_alike: float) -> list[int]:
    """Return those columns that do not correlate with one before them."""
    if most_alike >= 1.0 or len(kept) < 2:
        return [int(i) for i in kept]
    alike = np.abs(np.corrcoef(values[:, kept], rowvar=False))
    chosen: list[int] = []
    for i in range(len(kept)):
        if not chosen or alike[i, chosen].max() <= most_alike:
            chosen.append(i)
    return [int(kept[i]) for i in chosen]


@dataclass(frozen=True)
class CompositionCodec(ListedText):
    """A composition, chosen from a list of candidates.

    Attributes:
        name: Name of the parameter.
        fractions: Elements that vary over the candidates.
        properties: Means and spreads of elemental properties that vary over the candidates.
        source: File of the candidates; the scales hold what the encoding takes from it.
    """

    plural: ClassVar[str] = "Formulas"

    name: str
    fractions: Scale
    properties: Scale
    source: Path | None = field(default=None, repr=False, compare=False)
    kind: Kind = "composition"

    @property
    def parts(self) -> tuple[Part, ...]:
        """A block of fractions, and one of properties."""
        parts = (
            Part(self.name, "composition", len(self.fractions.names)),
            Part(f"{self.name} properties", "composition", len(self.properties.names)),
        )
        return tuple(part for part in parts if part.width)

    @property
    def n_dims(self) -> int:
        """Columns of both blocks."""
        return len(self.fractions.names) + len(self.properties.names)

    @property
    def values(self) -> tuple[object, ...]:
        """No list: a formula that is no candidate can be measured too."""
        return ()

    def read(self, cells: pd.Series) -> tuple[np.ndarray, list[CellFault]]:
        """Return canonical formulas, empty where a cell is refused, and the faults."""
        numbers, distinct = pd.factorize(cells.astype(object), use_na_sentinel=True)
        read = [*(read_formula(str(text)) for text in distinct), ("", "must be given")]
        blank = is_blank(cells)
        formulas = np.where(blank, "", np.array([formula for formula, _ in read], dtype=object)[numbers])
        faults = faults_where(blank, cells, "must be given")
        for i, (_, reason) in enumerate(read[:-1]):
            if reason:
                faults += faults_where((numbers == i) & ~blank, cells, reason)
        return formulas, faults

    def encode(self, canonical: np.ndarray) -> np.ndarray:
        """Return coordinates. Shape `n x n_dims`; in the unit cube for what lies among the candidates."""
        numbers, distinct = pd.factorize(canonical)
        fractions, properties = _columns([str(formula) for formula in distinct])
        n = len(distinct)
        return np.hstack([self.fractions(fractions, n), self.properties(properties, n)])[numbers]


def composition_codec(parameter: CompositionParameter, spec: CampaignSpec) -> CompositionCodec:
    """Return the codec of a composition, scaled over the candidates.

    Raises:
        ConfigurationError: If there are no candidates, all are one composition, or mendeleev is not installed.
        InputError: If a cell is no formula.
    """
    if spec.candidates is None:
        raise ConfigurationError(
            f"Formulas of {parameter.name!r} must be listed in a file.", "Name it: `candidates: FILE.csv`."
        )
    source = spec.resolve(spec.candidates)
    empty = Scale((), (), ())
    formulas = CompositionCodec(parameter.name, empty, empty, source).candidates
    fractions, properties = _columns([str(formula) for formula in formulas])
    elements = tuple(sorted(fractions))
    codec = CompositionCodec(
        parameter.name,
        Scale.of(elements, np.array([fractions[symbol] for symbol in elements]).T),
        Scale.of(FEATURES, np.array([properties[name] for name in FEATURES]).T, SAME),
        source,
    )
    if not codec.n_dims:
        raise ConfigurationError(
            f"{spec.candidates} must hold at least two compositions in {parameter.name!r}; got {formulas[0]} alone.",
            "Add candidates, or leave the parameter out.",
        )
    return codec


def _columns(formulas: list[str]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return fractions by element and properties by feature, of length `k` each."""
    mixtures = [fractions_of(formula) for formula in formulas]
    elements = sorted({symbol for each in mixtures for symbol in each})
    fractions = {symbol: np.array([each.get(symbol, 0.0) for each in mixtures]) for symbol in elements}
    features = np.hstack(weighted_means(mixtures)).T
    return fractions, dict(zip(FEATURES, features, strict=True))
