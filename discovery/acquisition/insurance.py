"""Who chooses each experiment of a batch: the belief, or now and then somebody who trusts no experience.

Likelihood does not see what misleading experience does to the search: it can foresee the outcomes of bad regions well
and never look elsewhere. So until experience has proved itself, every few experiments are chosen without it.
"""

from __future__ import annotations

from discovery.belief.belief import Belief

INSURED_EVERY = 4  # of so many experiments one is chosen without experience, until experience has proved itself


def is_insured(belief: Belief, position: int) -> bool:
    """Say whether an experiment is chosen as if there were no experience.

    It is until experience has foreseen this task's measurements clearly better than no transfer does. Experiments
    before the first measurement are not.

    Args:
        belief: The belief over real measurements.
        position: Number of experiments chosen before, measured or not.
    """
    return position % INSURED_EVERY == INSURED_EVERY - 1 and not belief.is_proved


def who_chooses(belief: Belief, before: int, n: int) -> list[Belief]:
    """Return who chooses each of `n` experiments; the same object for the same belief.

    Args:
        belief: The belief over real measurements.
        before: Number of experiments chosen before, measured or not.
        n: Number of experiments.
    """
    doubted = [is_insured(belief, before + i) for i in range(n)]
    doubting = belief.doubting() if any(doubted) else belief
    return [doubting if is_doubted else belief for is_doubted in doubted]
