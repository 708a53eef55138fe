"""Materials as parameters: a chemical composition, and a mixture of named ingredients.

A mixture is written as one parameter and becomes, before anything else looks at it, a continuous parameter for each
ingredient, a simplex constraint and, where the number of ingredients is limited, a cardinality constraint. What is left
of it (`CampaignSpec.mixtures`) says which properties its ingredients have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from discovery.campaign.parts import Part, Positive, Text, fault, nearest


class CompositionParameter(Part):
    """A chemical formula such as `Fe0.7Co0.3` or `LiFePO4`; chosen from `candidates`.

    Attributes:
        name: Column of the tables that holds the formulas.
        context: Whether it is given when proposals are asked for, and not chosen.
    """

    type: Literal["composition"]
    name: Text
    context: bool = False


class MixtureParameter(Part):
    """Named ingredients whose amounts add up to a total; each ingredient is a column of the tables.

    Attributes:
        name: What the mixture is called; no column.
        ingredients: Names of the columns that hold the amounts.
        total: What the amounts add up to.
        max_ingredients: How many may be present at once; None for all.
        min_fraction: Lowest share of the total of an ingredient that is present.
        descriptors: CSV file with properties of each ingredient, or None.
        elements: Whether the ingredients are chemical elements, compared by the properties of these.
        unit: Unit of the amounts; for people.
        step: What amounts of proposals move in, from zero; None for readable digits.
        context: Always false: a mixture is chosen.
    """

    type: Literal["mixture"]
    name: Text
    ingredients: Annotated[tuple[Text, ...], Field(min_length=2)]
    total: Positive = 1.0
    max_ingredients: Annotated[int, Field(strict=True, ge=1)] | None = None
    min_fraction: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] = 0.0
    descriptors: Text | None = None
    elements: bool = False
    unit: str = ""
    step: Positive | None = None
    context: Literal[False] = False

    @field_validator("ingredients")
    @classmethod
    def _check_ingredients(cls, ingredients: tuple[str, ...]) -> tuple[str, ...]:
        for i, name in enumerate(ingredients):
            if name in ingredients[:i]:
                raise fault("", f"must differ from each other; got {name!r} twice", "Remove one of them.")
        return ingredients

    @model_validator(mode="after")
    def _check_amounts(self) -> MixtureParameter:
        if self.min_fraction > 1:
            text = f"must be a share of the total, 0 to 1; got {self.min_fraction:g}"
            raise fault("min_fraction", text, f"{self.min_fraction:g} of {self.total:g} is a share of less.")
        if (self.max_ingredients or 0) > len(self.ingredients):
            text = f"must be at most the number of ingredients, {len(self.ingredients)}; got {self.max_ingredients}"
            raise fault("max_ingredients", text, "Leave it out to allow all of them.")
        if self.step is not None and abs(self.total / self.step - round(self.total / self.step)) > 1e-6:
            text = f"must divide the total, {self.total:g}; got {self.step:g}"
            raise fault("step", text, "No amounts on such a grid add up to the total.")
        if self.elements and self.descriptors is not None:
            raise fault(
                "descriptors", "must not stand beside elements: true, which brings properties", "Keep one of the two."
            )
        return self

    @property
    def limit(self) -> int:
        """How many ingredients may be present at once."""
        return self.max_ingredients or len(self.ingredients)

    def columns(self) -> list[dict[str, Any]]:
        """Return the continuous parameters that it stands for, as they would be written."""
        common: dict[str, Any] = {"type": "continuous", "bounds": [0.0, self.total], "unit": self.unit}
        common |= {} if self.step is None else {"step": self.step}
        return [common | {"name": name} for name in self.ingredients]

    def constraints(self) -> list[dict[str, Any]]:
        """Return the constraints that it stands for, as they would be written."""
        names = list(self.ingredients)
        simplex = {"type": "simplex", "parameters": names, "total": self.total}
        if self.limit == len(names) and not self.min_fraction:
            return [simplex]
        counted: dict[str, Any] = {"type": "cardinality", "parameters": names, "max": self.limit}
        return [simplex, counted | ({"least": self.min_fraction * self.total} if self.min_fraction else {})]


def expand_mixtures(data: Any, parameters: TypeAdapter[Any]) -> Any:
    """Put columns and constraints in the place of mixtures, and keep the mixtures under `mixtures`.

    Args:
        data: A campaign as it was written.
        parameters: Reads the list of parameters.

    Returns:
        The campaign without parameters of type mixture; the same object where there is none, or where a parameter is
        wrong, which validation then says with the place where it was written.
    """
    if not isinstance(data, Mapping) or not any(map(_is_mixture, _listed(data.get("parameters")))):
        return data
    try:
        written = parameters.validate_python(data["parameters"])
    except ValidationError:
        return data
    mixtures = [item for item in written if isinstance(item, MixtureParameter)]
    expanded = [part for item in written for part in (item.columns() if item in mixtures else [item])]
    added = [constraint for mixture in mixtures for constraint in mixture.constraints()]
    return {
        **data,
        "parameters": expanded,
        "constraints": [*_listed(data.get("constraints")), *added],
        "mixtures": [*_listed(data.get("mixtures")), *mixtures],
    }


def check_mixtures(mixtures: Sequence[MixtureParameter], columns: Sequence[str], taken: Sequence[str]) -> None:
    """Refuse mixtures of columns that are no parameters, and names that something else has.

    Args:
        mixtures: The mixtures of a campaign.
        columns: Names of its parameters.
        taken: Further names that are in use.

    Raises:
        PydanticCustomError: On the first fault; carries the key path.
    """
    names: list[str] = []
    for i, mixture in enumerate(mixtures):
        for ingredient in mixture.ingredients:
            if ingredient not in columns:
                text = f"must list parameters of type continuous; got {ingredient!r}"
                raise fault(f"mixtures[{i}].ingredients", text, nearest(ingredient, columns))
        if mixture.name in (*columns, *taken, *names):
            text = f"must differ from all columns, outcomes and other mixtures; got {mixture.name!r}"
            raise fault(f"mixtures[{i}].name", text, "Rename it: a mixture's own name is no column.")
        names.append(mixture.name)


def _is_mixture(value: Any) -> bool:
    kind = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    return bool(kind == "mixture")


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
