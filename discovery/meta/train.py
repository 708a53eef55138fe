"""Which hypotheses a campaign has, and meta-training each of them.

`auto` means: no transfer always, history where there are earlier tasks, a deep kernel beside it where there are a
dozen, one hypothesis per simulator. Prior weights follow what cross-fitting found: a history whose tasks do not rank
each other gets next to none. The prior that ships (`pretrained`) joins where a campaign file names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from discovery import registry
from discovery.errors import ConfigurationError
from discovery.meta.checkpoint import Checkpoint
from discovery.meta.components import MOLECULE
from discovery.meta.learner import Learner, Setting
from discovery.meta.scale import outcome_scale
from discovery.seeds import rng
from discovery.space.pool import CandidatePool
from discovery.tasks.history import HistoryDistribution
from discovery.tasks.pseudo import MOST_CANDIDATES, PseudoTasks
from discovery.tasks.task import Task

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.space import SearchSpace
    from discovery.tasks.distribution import TaskDistribution

NO_TRANSFER, HISTORY, SIMULATOR = "no_transfer", "history", "simulator:"
DEEP_KERNEL, PRETRAINED = "deep_kernel", "pretrained"
PSEUDO_TASKS = "pseudo_tasks"  # the learner that needs no outcome
N_SAMPLED = 512  # configurations of a space that has no list of candidates
FROM_HISTORY = (HISTORY, DEEP_KERNEL)
MANY_TASKS = 12  # earlier tasks from which on a deep kernel is learned
AUTO_WEIGHTS = {NO_TRANSFER: 0.2, HISTORY: 0.6, DEEP_KERNEL: 0.6, PRETRAINED: 0.1, SIMULATOR: 0.2}  # simulators share
# theirs; absent kinds drop out
RANKS_FOR_TRUST = (0.0, 0.2)  # cross-fitted rank correlation, one standard error off: where trust begins, is full
LEAST_TRUST = 0.001  # share of its weight that a history keeps when its tasks do not rank each other: it may know
# the level of the outcomes, win evidence with that, and still mislead the search
ONE_SOURCE_TRUST = 0.5  # the same with one source, where nothing can be cross-fitted
Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TrainedHypothesis:
    """One hypothesis after meta-training.

    Attributes:
        name: The hypothesis.
        prior_weight: Its weight before the first measurement; the weights of a campaign sum to one.
        checkpoint: What was learned.
    """

    name: str
    prior_weight: float
    checkpoint: Checkpoint


@dataclass(frozen=True)
class Experience:
    """What a campaign may learn from.

    Attributes:
        history: Earlier tasks on the campaign's space, raw units.
        simulators: Distributions bound to the space, by name.
    """

    history: tuple[Task, ...] = ()
    simulators: Mapping[str, TaskDistribution] | None = None

    def distribution(self, hypothesis: str, learner: str | None = None) -> TaskDistribution | None:
        """Return what a hypothesis is trained on; None for no transfer.

        Args:
            hypothesis: The hypothesis.
            learner: Meta-learner that the campaign file names for it: one with a name of its own learns from history
                where there is any.

        Raises:
            ConfigurationError: If the campaign has no such experience.
        """
        if hypothesis in (NO_TRANSFER, PRETRAINED):
            return None
        if hypothesis in FROM_HISTORY and self.history:
            return HistoryDistribution(self.history)
        simulators = self.simulators or {}
        name = hypothesis.removeprefix(SIMULATOR)
        if hypothesis.startswith(SIMULATOR) and name in simulators:
            return simulators[name]
        if is_own(hypothesis, learner):
            return HistoryDistribution(self.history) if self.history else None
        own = FROM_HISTORY if self.history else ()
        known = [NO_TRANSFER, PRETRAINED, *own, *(SIMULATOR + n for n in simulators)]
        raise ConfigurationError(
            f"hypotheses must name experience that the campaign has ({', '.join(known)}); got {hypothesis!r}.",
            "Add it under `experience`, or remove the hypothesis.",
        )


def hypothesis_names(spec: CampaignSpec, experience: Experience) -> list[str]:
    """Name the hypotheses of a campaign, no transfer first."""
    if spec.hypotheses != "auto":
        return [reference.name for reference in spec.hypotheses]
    history = [HISTORY] if experience.history else []
    is_molecular = any(parameter.type == MOLECULE for parameter in spec.parameters)
    deep = [DEEP_KERNEL] if len(experience.history) >= MANY_TASKS and not is_molecular else []
    return [NO_TRANSFER, *history, *deep, *(SIMULATOR + name for name in experience.simulators or {})]


def learner_of(spec: CampaignSpec, hypothesis: str) -> str | None:
    """Return the meta-learner that a campaign file names for a hypothesis; None where it names none."""
    named = () if spec.hypotheses == "auto" else spec.hypotheses
    return next((item.learner for item in named if item.name == hypothesis), None)


def is_own(hypothesis: str, learner: str | None) -> bool:
    """Say whether a hypothesis has a name of the user's: it learns from history where there is any."""
    known = (NO_TRANSFER, PRETRAINED, *FROM_HISTORY)
    return learner is not None and hypothesis not in known and not hypothesis.startswith(SIMULATOR)


def family_of(hypothesis: str, space: SearchSpace, learner: str | None = None) -> type[Learner]:
    """Return the family of meta-learning that a hypothesis is learned with: the one that is named, else our choice.

    Raises:
        ConfigurationError: If it has none for a space of molecules.
    """
    is_molecular = any(block.kind == MOLECULE for block in space.blocks)
    if hypothesis in (DEEP_KERNEL, PRETRAINED) and is_molecular:
        raise ConfigurationError(
            f"hypotheses must fit molecules where a parameter is one; got {hypothesis!r}.",
            "Remove it from `hypotheses`.",
        )
    plain = "molecule_gp" if is_molecular else "meta_gp"
    name = {DEEP_KERNEL: "deep_kernel", PRETRAINED: "prior_fitted"}.get(hypothesis, plain)
    family: type[Learner] = registry.load("learner", learner or name)
    return family


def prior_weights(spec: CampaignSpec, checkpoints: Mapping[str, Checkpoint]) -> dict[str, float]:
    """Weigh the hypotheses before the first measurement.

    Args:
        spec: The campaign; weights given there are taken as they are.
        checkpoints: What was trained, by hypothesis.

    Returns:
        Weights that sum to one.
    """
    given = {} if spec.hypotheses == "auto" else {h.name: h.weight for h in spec.hypotheses if h.weight is not None}
    n_simulators = sum(name.startswith(SIMULATOR) for name in checkpoints)
    weights = {}
    for name, checkpoint in checkpoints.items():
        kind = SIMULATOR if name.startswith(SIMULATOR) else name
        share = AUTO_WEIGHTS.get(kind, 0.2) / (n_simulators if kind == SIMULATOR else 1)
        trust = history_trust(checkpoint.meta.scores) if name in FROM_HISTORY else 1.0
        weights[name] = given.get(name, share * trust)
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def history_trust(scores: Mapping[str, float]) -> float:
    """Return the share of its prior weight that a history earns, from cross-fitted rank correlation."""
    if "rank_correlation" not in scores:
        return ONE_SOURCE_TRUST
    sure = scores["rank_correlation"] - scores["rank_correlation_se"]
    low, high = RANKS_FOR_TRUST
    return min(1.0, max(LEAST_TRUST, (sure - low) / (high - low)))


def meta_train_hypotheses(
    spec: CampaignSpec,
    space: SearchSpace,
    experience: Experience,
    *,
    only: str | None = None,
    known: Mapping[str, Checkpoint] | None = None,
    device: torch.device | str = "cpu",
    report: Report | None = None,
) -> list[TrainedHypothesis]:
    """Meta-train every hypothesis of a campaign.

    Args:
        spec: The campaign.
        space: Its space.
        experience: What it may learn from.
        only: Train this hypothesis alone (it then has all the weight), whether the campaign file names it or not.
        known: Checkpoints that need no training (registered earlier), by hypothesis.
        device: Where to train.
        report: Called with (hypothesis, step, steps).

    Returns:
        Hypotheses with weights, no transfer first.

    Raises:
        ConfigurationError: If the campaign file names a hypothesis for which there is no experience.
    """
    known = known or {}
    checkpoints: dict[str, Checkpoint] = {}
    for name in hypothesis_names(spec, experience) if only is None else [only]:
        setting = training_setting(spec, space, experience, name, device=device, report=report)
        learner = learner_of(spec, name)
        if name in known:
            checkpoints[name] = known[name]
            continue
        if learner == PSEUDO_TASKS:
            distribution: TaskDistribution | None = PseudoTasks.of(some_candidates(spec, space), spec.seed)
        else:
            distribution = experience.distribution(name, learner)
        checkpoints[name] = family_of(name, space, learner).meta_train(distribution, setting)
    weights = prior_weights(spec, checkpoints)
    return [TrainedHypothesis(name, weights[name], checkpoint) for name, checkpoint in checkpoints.items()]


def some_candidates(spec: CampaignSpec, space: SearchSpace) -> np.ndarray:
    """Return configurations that a campaign may choose, encoded: some of its candidates, else of its space."""
    pool, generator = CandidatePool.from_spec(spec, space), rng(spec.seed, PSEUDO_TASKS)
    if pool is None or not hasattr(pool, "starts"):
        return space.sample(N_SAMPLED, generator)
    return pool.starts(MOST_CANDIDATES, (), generator).X


def training_setting(
    spec: CampaignSpec,
    space: SearchSpace,
    experience: Experience,
    hypothesis: str,
    *,
    device: torch.device | str = "cpu",
    report: Report | None = None,
) -> Setting:
    """Collect what training one hypothesis of a campaign needs beside tasks."""
    outcome = spec.outcome(spec.objective.name)

    def on_step(step: int, steps: int) -> None:
        if report is not None:
            report(hypothesis, step, steps)

    return Setting(
        hypothesis=hypothesis,
        space=space,
        scale=outcome_scale(outcome.range, experience.history),
        seed=spec.seed,
        device=device,
        on_step=on_step,
    )
