"""From checkpoints to hypotheses that can adapt."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from discovery.belief.belief import Hypothesis
from discovery.meta.meta_gp import MetaGP
from discovery.meta.train import TrainedHypothesis


def load_hypotheses(trained: Sequence[TrainedHypothesis], device: torch.device | str = "cpu") -> tuple[Hypothesis, ...]:
    """Rebuild the learners of trained hypotheses on a device."""
    return tuple(
        Hypothesis(
            name=item.name,
            prior_weight=item.prior_weight,
            learner=MetaGP.load(item.checkpoint, device),
            checkpoint_id=item.checkpoint.checkpoint_id,
            task_sources=item.checkpoint.meta.task_sources,
        )
        for item in trained
    )
