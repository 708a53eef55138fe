"""What the properties of its ingredients say about a mixture: the fraction-weighted mean of each.

Means are linear in the fractions, so they add no coordinates: members compare mixtures by a linear map of the
coordinates that are there (`discovery.meta.components`), in free spaces as in pools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from discovery.campaign import CampaignSpec, CategoricalParameter, MixtureParameter
from discovery.errors import ConfigurationError
from discovery.space.codecs import Codec, ContinuousCodec
from discovery.space.composition import SAME, decorrelated
from discovery.space.descriptors import descriptor_source, read_descriptors
from discovery.space.elemental import SYMBOLS, elemental_table
from discovery.space.elements import element_in, element_pattern


@dataclass(frozen=True, eq=False)
class Mix:
    """The mean properties of one mixture, as a linear map of coordinates.

    Attributes:
        name: Name of the mixture.
        dims: Coordinates of its ingredients. Shape `k`.
        weights: How much each property grows per unit of each coordinate; a property runs from 0 to 1 over the pure
            ingredients. Shape `k x p`.
    """

    name: str
    dims: np.ndarray
    weights: np.ndarray


def read_mixes(spec: CampaignSpec, codecs: Sequence[Codec]) -> tuple[Mix, ...]:
    """Read the properties of the ingredients of every mixture that has some.

    Args:
        spec: The campaign.
        codecs: Its parameters.

    Raises:
        ConfigurationError: If a file of properties does not fit, ingredients are no elements where they are said to
            be, or mendeleev is needed and not installed.
    """
    stops = np.cumsum([codec.n_dims for codec in codecs]).tolist()
    places = {codec.name: (codec, stop - codec.n_dims) for codec, stop in zip(codecs, stops, strict=True)}
    return tuple(_mix(mixture, spec, places) for mixture in spec.mixtures if mixture.descriptors or mixture.elements)


def _mix(mixture: MixtureParameter, spec: CampaignSpec, places: Mapping[str, tuple[Codec, int]]) -> Mix:
    if mixture.descriptors is None:
        properties = _of_elements(mixture)
    else:
        properties = _of_file(mixture, descriptor_source(spec, mixture.descriptors))
    kept = decorrelated(properties, np.arange(properties.shape[1]), SAME)
    used = [places[name] for name in mixture.ingredients]
    widths = np.array([codec.high - codec.low for codec, _ in used if isinstance(codec, ContinuousCodec)])
    return Mix(
        mixture.name,
        np.array([start for _, start in used]),
        (widths / mixture.total)[:, None] * properties[:, kept],
    )


def _of_file(mixture: MixtureParameter, source: Path | str) -> np.ndarray:
    """Return the properties in a file, each in the unit interval. Shape `k x p`."""
    ingredients = CategoricalParameter(type="categorical", name=mixture.name, values=mixture.ingredients)
    return read_descriptors(ingredients, source)


def _of_elements(mixture: MixtureParameter) -> np.ndarray:
    """Return the properties of ingredients that are elements, each in the unit interval. Shape `k x p`."""
    pattern = element_pattern(mixture.ingredients)
    if pattern is None:
        raise ConfigurationError(
            f"parameters.{mixture.name}.ingredients must each be a chemical element where elements is true, such as "
            f"Fe, or Fe_load for all of them alike; got {', '.join(mixture.ingredients)}.",
            "Rename them, or give properties of your own: `descriptors: FILE.csv`.",
        )
    rows = [SYMBOLS.index(str(element_in(name, pattern))) for name in mixture.ingredients]
    table = elemental_table()[rows]
    low, width = table.min(axis=0), np.ptp(table, axis=0)
    return (table - low)[:, width > 0] / width[width > 0]
