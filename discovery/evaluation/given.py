"""A replay under a context: only candidates with the values that are given take part, for every method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from discovery.errors import NotSupportedError
from discovery.space.restricted import allowed_rows, restrict_pool
from discovery.space.today import Today

if TYPE_CHECKING:
    from discovery.evaluation.methods import BacktestContext


def with_given(
    context: BacktestContext, outcomes: np.ndarray, given: Mapping[str, object], batch_size: int
) -> tuple[BacktestContext, np.ndarray]:
    """Return a campaign that is to be replayed with those of its candidates that have the values given.

    Args:
        context: What methods may know.
        outcomes: Outcome of each candidate. Shape `n`.
        given: Value by parameter; every parameter with `context: true` needs one.
        batch_size: Experiments whose outcomes are revealed together.

    Raises:
        InputError: If a context parameter is not given, or a name or value is unknown.
        NoCandidateError: If no candidate has the values.
        NotSupportedError: If batches have to share a value, or changes cost: what replays compare does not know that.
    """
    spec = context.spec
    if spec.shared_names and batch_size > 1:
        raise NotSupportedError(
            f"A batch with one value of {', '.join(spec.shared_names)} cannot be replayed; got {batch_size} together.",
            "Replay one experiment at a time (--batch-size 1), or without that constraint.",
        )
    if spec.acquisition.changeover:
        raise NotSupportedError(
            "acquisition.changeover cannot be replayed: methods are compared by experiments, not by what changes cost.",
            "Replay the campaign without it.",
        )
    today = Today.read(spec, context.space, given, None)
    if not today.given:
        return context, outcomes
    left = allowed_rows(context.pool, context.space, today.given, {})
    n = min(context.n_experiments, int(left.sum()))
    return replace(context, pool=restrict_pool(context.pool, left), n_experiments=n), outcomes[left]
