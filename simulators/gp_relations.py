"""Groups of related tasks: a target and sources that resemble it, do not, or are its mirror image.

What transfer must learn is whom to trust, so a source's relation is drawn from related (0.95, 0.7, 0.3), unrelated (0)
and inverted (-0.5) and kept in the truth. The functions of a group share one prior; source j is
`rho_j f + sqrt(1 - rho_j²) e_j` with the target's latent function f and an independent e_j, so that rho_j is the
correlation of the latent functions at equal configurations. Level, scale, output map and noise are each task's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from discovery.errors import InputError
from discovery.tasks.task import TaskBatch
from simulators.columns import configurations, require_bound
from simulators.draws import Draws
from simulators.gp_prior import GPPrior, draw_latent


@dataclass(frozen=True)
class RelatedTasks:
    """Targets and their sources.

    Attributes:
        target: One task per group; `t = g`.
        sources: `s` tasks per group, group by group: source j of group i is task `i * s + j`. Its truth also holds
            `correlation` and `group`, each of shape `g * s`.
        n_sources: Number of sources `s` per group.
    """

    target: TaskBatch
    sources: TaskBatch
    n_sources: int


def sample_related(
    prior: GPPrior,
    n_groups: int,
    n_sources: int,
    n_points: int,
    generator: torch.Generator,
    device: torch.device | str = "cpu",
    points: Tensor | None = None,
) -> RelatedTasks:
    """Draw groups of a target and its sources.

    Args:
        prior: The bound family that the functions come from; `prior.correlations` are drawn with equal probability.
        n_groups: Number of groups `g`.
        n_sources: Number of sources `s` per group.
        n_points: Number of points `n` per task.
        generator: Source of all randomness; the same state gives the same groups.
        device: Where the batches are made.
        points: Configurations shared by all tasks instead of random ones. Shape `n x d`; unit cube.

    Returns:
        The groups, with the relation of every source in its truth.

    Raises:
        ConfigurationError: If the family is not bound to a space.
        InputError: If a number is below one.
        ShapeError: If the points have another shape.
    """
    g, s, n = n_groups, n_sources, n_points
    if g < 1 or s < 1:
        raise InputError(f"Related tasks need at least one group and one source; got {g} groups of {s} sources.")
    columns = require_bound(prior.name, prior.columns)
    draws = Draws(generator, torch.device(device))
    X = configurations(columns, g * (s + 1), n, draws, points).view(g, s + 1, n, -1)  # g x (target, sources) x n x d
    latent = draw_latent(columns, g, prior.p_irrelevant, draws)
    group = torch.arange(g, device=draws.device).repeat_interleave(s)
    if points is None:  # the target's function at the points of the whole group, at once
        shared = latent.evaluate(columns, X.flatten(1, 2), draws).view(g, s + 1, n)
    else:
        shared = latent.evaluate(columns, X[:, 0], draws).unsqueeze(1).expand(g, s + 1, n)
    of_sources, X_sources = latent.at(group), X[:, 1:].reshape(g * s, n, -1)
    own = of_sources.evaluate(columns, X_sources, draws)
    rho = draws.pick(prior.correlations, g * s)
    values = rho.unsqueeze(1) * shared[:, 1:].reshape(g * s, n) + (1.0 - rho.square()).sqrt().unsqueeze(1) * own
    sources = prior.observe(X_sources, of_sources, values, draws)
    truth = {**(sources.truth or {}), "correlation": rho, "group": group}
    target = prior.observe(X[:, 0], latent, shared[:, 0], draws)
    return RelatedTasks(target, replace(sources, truth=truth), s)
