"""What is believed about success: experiments that gave an outcome (1), and those that are infeasible (0).

The no-transfer bank on the range [0, 1]: nothing is known beforehand of what can be made. The latent outcome, cut at
one half, is what acquisition takes for the probability of success.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from discovery.belief.belief import Hypothesis
from discovery.belief.weights import NO_TRANSFER
from discovery.meta.learner import Setting
from discovery.meta.meta_gp import MetaGP
from discovery.meta.scale import outcome_scale

if TYPE_CHECKING:
    from discovery.space.space import SearchSpace

RANGE = (0.0, 1.0)


def success_hypotheses(space: SearchSpace, device: torch.device | str = "cpu") -> tuple[Hypothesis, ...]:
    """Return the one hypothesis about success; nothing is trained for it, and the same space gives the same one."""
    checkpoint = MetaGP.meta_train(None, Setting(NO_TRANSFER, space, outcome_scale(RANGE, ()), device=device))
    learner = MetaGP.load(checkpoint, device)
    return (Hypothesis(NO_TRANSFER, 1.0, learner, checkpoint.checkpoint_id),)
