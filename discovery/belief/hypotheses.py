"""From checkpoints to hypotheses that can adapt."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from discovery import registry
from discovery.belief.belief import Hypothesis
from discovery.meta.train import TrainedHypothesis


def load_hypotheses(trained: Sequence[TrainedHypothesis], device: torch.device | str = "cpu") -> tuple[Hypothesis, ...]:
    """Rebuild the learners of trained hypotheses on a device."""
    return tuple(
        Hypothesis(
            name=item.name,
            prior_weight=item.prior_weight,
            learner=registry.load("learner", item.checkpoint.meta.learner).load(item.checkpoint, device),
            checkpoint_id=item.checkpoint.checkpoint_id,
            task_sources=item.checkpoint.meta.task_sources,
        )
        for item in trained
    )
