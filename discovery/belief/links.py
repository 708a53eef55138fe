"""Beliefs in the outcomes of stages: each later one may follow the one before it, if the measurements say so.

That a cheap outcome foretells the dear one is a hypothesis like any other: evidence weighs it against those that do not
look at the cheap outcome, so that a useless proxy loses its say by itself. Next in the tour:
`discovery.acquisition.stages`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from discovery.belief.belief import Belief, Hypothesis
from discovery.belief.weights import NO_TRANSFER
from discovery.errors import ConfigurationError
from discovery.meta.learner import Support
from discovery.meta.linked import LinkedGP
from discovery.meta.meta_gp import MetaGP
from discovery.meta.process import Process

STAGE = "stage:"
"""What the names of these hypotheses begin with."""
LINK_WEIGHT = 0.5  # prior weight of following the stage before, beside all other hypotheses together


def adapt_stages(
    outcomes: Sequence[tuple[str, str]],
    hypotheses: Mapping[str, Sequence[Hypothesis]],
    supports: Mapping[str, Support],
) -> dict[str, Belief]:
    """Condition the beliefs in the outcomes of all stages.

    Args:
        outcomes: Name and outcome of every stage, cheap ones first.
        hypotheses: Hypotheses by outcome; none of them looks at another stage.
        supports: Measurements by outcome, raw units; any may hold none.

    Returns:
        Beliefs by outcome, in the order of stages. All but the first hold one more hypothesis,
        `stage:<the stage before>`.

    Raises:
        ConfigurationError: If an outcome that follows has no hypothesis without experience to build on.
    """
    beliefs: dict[str, Belief] = {}
    before: tuple[str, Process] | None = None
    for stage, outcome in outcomes:
        known = tuple(hypotheses[outcome])
        if before is not None:
            known = linked(known, *before)
        beliefs[outcome] = Belief.adapt(known, supports[outcome])
        before = stage, process_of(beliefs[outcome], supports[outcome])
    return beliefs


def linked(hypotheses: Sequence[Hypothesis], stage: str, process: Process) -> tuple[Hypothesis, ...]:
    """Add the hypothesis that an outcome follows that of a stage.

    Args:
        hypotheses: Hypotheses about the outcome; the one without experience among them.
        stage: Name of the stage before.
        process: What is believed of its outcome.

    Raises:
        ConfigurationError: If there is no hypothesis without experience, or it is of a family that cannot follow.

    Source:
        Kennedy and O'Hagan (2000), Predicting the output from a complex computer code when fast approximations are
        available, section 2.1; departures: slope and rest are not fitted, they are members weighed by evidence.
    """
    cold = next((h for h in hypotheses if h.name == NO_TRANSFER), None)
    if cold is None or not isinstance(cold.learner, MetaGP):
        raise ConfigurationError(
            f"Stages need the hypothesis {NO_TRANSFER} of the family {MetaGP.family} for every outcome; "
            f"got {[h.name for h in hypotheses]}.",
            f"Add {NO_TRANSFER} to hypotheses.",
        )
    total = sum(h.prior_weight for h in hypotheses)
    follower = Hypothesis(
        name=f"{STAGE}{stage}",
        prior_weight=LINK_WEIGHT * total,
        learner=LinkedGP.to(cold.learner, process),
        checkpoint_id=f"{cold.checkpoint_id}+{stage}",
    )
    return (*(replace(h, prior_weight=(1 - LINK_WEIGHT) * h.prior_weight) for h in hypotheses), follower)


def process_of(belief: Belief, support: Support) -> Process:
    """Return what a belief says of its outcome everywhere."""
    return Process.of([part.bank for part in belief.kept], [part.log_weight for part in belief.kept], support.y)
