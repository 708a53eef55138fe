"""The campaign file as one frozen value: what can be varied, what is measured, what is wanted, where experience is.

Validation here needs nothing but the file itself: no space is built, no table is read. Next in the tour:
`discovery.space`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, TypeAdapter, ValidationError, model_validator

from discovery.campaign import consistency
from discovery.campaign.constraints import BatchConstraint, Constraint, ConstraintOrText, LinearText
from discovery.campaign.experience import Experience
from discovery.campaign.laboratories import Experiment
from discovery.campaign.materials import MixtureParameter, expand_mixtures
from discovery.campaign.parameters import LISTED, Parameter
from discovery.campaign.parts import Count, Part, Text, explain, nearest
from discovery.campaign.sections import (
    AcquisitionOptions,
    Budget,
    Combine,
    Cost,
    Hypotheses,
    Infeasible,
    Objective,
    Outcome,
    Review,
    Schedule,
    Share,
    Stop,
)
from discovery.campaign.stages import StageSpec
from discovery.errors import ConfigurationError

MAX_PRODUCT = 200_000  # configurations that may be listed where no candidates are given


class CampaignSpec(Part):
    """Everything that a team writes down about a campaign (docs: the campaign file).

    Raises:
        pydantic.ValidationError: If a key is wrong; `from_mapping` turns it into a ConfigurationError.
    """

    name: Text
    parameters: Annotated[tuple[Parameter, ...], Field(min_length=1)]
    mixtures: tuple[MixtureParameter, ...] = ()
    constraints: tuple[ConstraintOrText, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1)]
    combine: Combine = "pareto"
    outcome_constraints: tuple[LinearText, ...] = ()
    cost: Cost | None = None
    stages: tuple[StageSpec, ...] = ()
    candidates: Text | None = None
    experience: Experience = Experience()
    hypotheses: Hypotheses = "auto"
    acquisition: AcquisitionOptions = AcquisitionOptions()
    budget: Budget = Budget()
    experiment: Experiment | None = None
    review: Review = Review()
    stop: Stop = Stop()
    infeasible: Infeasible = "learn"
    blocks: tuple[Text, ...] = ()
    schedule: Schedule | None = None
    inbox: Text | None = None
    share: Share = "team"
    team: str = ""
    store: Text | None = None
    seed: Count = 0

    _base_dir: Path = PrivateAttr(default_factory=Path.cwd)

    @model_validator(mode="before")
    @classmethod
    def _expand_mixtures(cls, data: Any) -> Any:
        return expand_mixtures(data, TypeAdapter(tuple[Parameter, ...]))

    @model_validator(mode="after")
    def _check_consistency(self) -> CampaignSpec:
        consistency.check(self)
        return self

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], base_dir: Path | str = ".", source: str = "") -> CampaignSpec:
        """Build a spec from a mapping with the keys of the campaign file.

        Args:
            data: The keys and their values.
            base_dir: Folder that relative paths start from.
            source: File that the mapping came from, for messages and for commands that people are told.

        Raises:
            ConfigurationError: If a key is unknown, missing or wrong; one sentence per fault.
        """
        try:
            spec = cls.model_validate(data)
        except ValidationError as error:
            raise explain(error, data, source) from None
        spec._base_dir = Path(base_dir).resolve()
        spec.__dict__["source"] = source  # no part of what the file says: files of other names are equal
        return spec

    @classmethod
    def from_json(cls, text: str, base_dir: Path | str = ".") -> CampaignSpec:
        """Build a spec from what `model_dump_json` wrote.

        Raises:
            ConfigurationError: If the text is no JSON or no campaign.
        """
        try:
            data = json.loads(text)
        except ValueError as error:
            raise ConfigurationError(f"A stored campaign must be JSON; {error}.") from None
        return cls.from_mapping(data, base_dir)

    @property
    def base_dir(self) -> Path:
        """Folder that relative paths start from: the folder of the campaign file."""
        return self._base_dir

    @cached_property
    def source(self) -> str:
        """The campaign file as it was named when it was read; empty where the campaign came from none."""
        return ""

    def resolve(self, path: str) -> Path:
        """Return a path of the file as an absolute path."""
        return self._base_dir / Path(path).expanduser()

    @property
    def parameter_names(self) -> list[str]:
        """Names of the parameters in the order of the file."""
        return [parameter.name for parameter in self.parameters]

    @property
    def context_names(self) -> list[str]:
        """Names of the parameters that are given when proposals are asked for."""
        return [parameter.name for parameter in self.parameters if getattr(parameter, "context", False)]

    @property
    def shared_names(self) -> list[str]:
        """Names of the parameters that have one value in all proposals of a batch."""
        named = [name for c in self.constraints if isinstance(c, BatchConstraint) for name in c.parameters]
        return list(dict.fromkeys(named))

    @property
    def pointwise(self) -> tuple[Constraint, ...]:
        """Constraints on each configuration by itself: all but those on a batch."""
        return tuple(c for c in self.constraints if not isinstance(c, BatchConstraint))

    @property
    def held(self) -> dict[str, float | str]:
        """Values of parameters in measurements that were made before this campaign varied them."""
        said = {parameter.name: getattr(parameter, "held", None) for parameter in self.parameters}
        return {name: value for name, value in said.items() if value is not None}

    @property
    def objective(self) -> Objective:
        """The first objective: the only one, or the one whose outcome comes first wherever one is shown."""
        return self.objectives[0]

    @property
    def believed(self) -> tuple[str, ...]:
        """Outcomes that the belief has to foresee: those of objectives, of outcome constraints, then of stages."""
        used = [objective.name for objective in self.objectives]
        used += [name for limit in self.outcome_constraints for name in limit.names]
        return tuple(dict.fromkeys(used + [name for stage in self.stages for name in stage.outcomes]))

    @property
    def is_plain(self) -> bool:
        """Whether all that is wanted is the most, or the least, of one outcome."""
        is_one = len(self.objectives) == 1 and self.objective.goal in ("maximize", "minimize")
        has_more = (
            self.outcome_constraints or self.stages or self.cost is not None or self.acquisition.discrimination > 0
        )
        return is_one and not has_more and self.combine == "pareto"

    def for_outcome(self, name: str) -> CampaignSpec:
        """Return the campaign as it is for the belief in one of its outcomes.

        Only that outcome is wanted, and of simulators those remain that teach about it.

        Args:
            name: One of `believed`.
        """
        if len(self.believed) == 1:
            return self
        wanted = next((o for o in self.objectives if o.name == name), Objective(name=name))
        changed: dict[str, Any] = {
            "outcomes": tuple(map(self.outcome, self.outcome_names)),
            "objectives": (wanted,),
            "outcome_constraints": (),
            "cost": None,
            "stages": (),
        }
        first, every = self.objective.name, self.experience.simulators
        teachers = tuple(ref for ref in every if ref.teaches(name, first) is not None)
        if len(teachers) < len(every):
            others = {f"simulator:{ref.name}" for ref in every if ref not in teachers}
            changed["experience"] = self.experience.model_copy(update={"simulators": teachers})
            if self.hypotheses != "auto":
                changed["hypotheses"] = tuple(h for h in self.hypotheses if h.name not in others)
        made = self.model_copy(update=changed)
        made.__dict__.pop("spec_hash", None)  # what was computed for the whole campaign is not that of the part
        return made

    @property
    def outcome_names(self) -> list[str]:
        """Declared outcomes, then the names that objectives, outcome constraints and stages use."""
        return list(dict.fromkeys([*(outcome.name for outcome in self.outcomes), *self.believed]))

    def outcome(self, name: str) -> Outcome:
        """Return an outcome's details; one that is only used has neither unit nor range.

        Raises:
            ConfigurationError: If the campaign has no such outcome.
        """
        if name not in self.outcome_names:
            raise ConfigurationError(
                f"{name!r} must be an outcome of {self.name!r}.", nearest(name, self.outcome_names)
            )
        return next((outcome for outcome in self.outcomes if outcome.name == name), Outcome(name=name))

    def stage(self, name: str) -> StageSpec:
        """Return a stage.

        Raises:
            ConfigurationError: If the campaign has no such stage.
        """
        names = [stage.name for stage in self.stages]
        if name not in names:
            advice = nearest(name, names) if names else "It has none."
            raise ConfigurationError(f"{name!r} must be a stage of {self.name!r}.", advice)
        return self.stages[names.index(name)]

    def outcomes_at(self, stage: str) -> tuple[str, ...]:
        """Return what an experiment measures: the outcomes of its stage; all of them where stages are not named."""
        return self.stage(stage).outcomes if stage else tuple(self.outcome_names)

    @cached_property
    def spec_hash(self) -> str:
        """Identity of what the file says: 16 hex digits, the same for the same content in any format or folder."""
        said = self.model_dump(mode="json", exclude_defaults=True)  # a key that a later release adds changes nothing
        canonical = json.dumps(said, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def n_combinations(self) -> int | None:
        """Number of configurations where every parameter is a list of values, else None."""
        sizes = [len(p.values) for p in self.parameters if isinstance(p, LISTED)]
        return math.prod(sizes) if len(sizes) == len(self.parameters) else None

    @property
    def has_pool(self) -> bool:
        """Whether configurations are chosen from a finite list: `candidates`, or a full product that is small."""
        return self.candidates is not None or (self.n_combinations or MAX_PRODUCT + 1) <= MAX_PRODUCT
