"""Particles over priors: networks for mean and features that Stein variational gradient descent keeps apart.

Every particle is the prior of a Gaussian process (a mean, features, and `discovery.meta.head` on top); a support
changes nothing but what the process on top makes of it. Together the particles follow the hyper-posterior: what the
tasks say, and a Gaussian hyper-prior over weights. Particles of a fold know nothing of the tasks that another fold
learned from.

Source:
    Rothfuss et al. (2021), PACOH: Bayes-optimal meta-learning with PAC-guarantees; Liu and Wang (2016), Stein
    variational gradient descent. Departures: tasks are judged by the predictive density of queries given a support, not
    by the marginal likelihood; the scales of the process on top are shared, and fitted on held-out tasks.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import silu

from discovery.meta.network_family import Context, NetworkFamily, Parameters, State, Told, dense, run
from discovery.meta.network_learner import NetworkLearner
from discovery.meta.network_training import Recipe

WIDTH, N_FEATURES, N_PARTICLES = 32, 8, 3
HYPER_SD, N_TASKS = 0.5, 16  # spread of the hyper-prior's weights; tasks that it counts against


def stein_directions(values: Tensor, scores: Tensor) -> Tensor:
    """Return where particles move: `phi_i = 1/p sum_j [k(j, i) s_j + grad_j k(j, i)]`.

    Args:
        values: Particles. Shape `p x w`.
        scores: Gradients of the log density there. Shape `p x w`.

    Returns:
        Shape `p x w`; the score itself for one particle. The kernel is Gaussian, its width the median heuristic's.
    """
    p = len(values)
    if p == 1:
        return scores
    squared = torch.cdist(values, values).square()
    pairs = squared[~torch.eye(p, dtype=torch.bool, device=values.device)]
    bandwidth = (pairs.median() / math.log(p + 1)).clamp_min(1e-12)
    kernel = (-squared / bandwidth).exp()
    repulsion = 2 / bandwidth * (values * kernel.sum(1, keepdim=True) - kernel @ values)
    return (kernel @ scores + repulsion) / p


class PacohNetwork(NetworkFamily):
    """Mean and features that read nothing: a prior, which the head conditions on the support."""

    name = "pacoh"
    n_features = N_FEATURES
    n_particles = N_PARTICLES

    def initial(self, n_dims: int, generator: torch.Generator) -> Parameters:
        """Draw the weights of body, mean and features."""
        weights = dense("body", [n_dims, WIDTH, WIDTH], generator) | dense("mean", [WIDTH, 1], generator, 0.1)
        return weights | dense("feature", [WIDTH, N_FEATURES], generator)

    def read(self, parameters: Parameters, context: Context) -> State:
        """Keep how many measurements there are; conditioning is the head's."""
        return {"n": context.mask.sum()}

    def tell(self, parameters: Parameters, state: State, X: Tensor) -> Told:
        """Tell the prior's mean and features."""
        hidden = silu(run("body", parameters, 2 * X - 1))
        return Told(run("mean", parameters, hidden)[..., 0], run("feature", parameters, hidden))

    def directions(self, parameters: Parameters, gradients: Parameters) -> Parameters:
        """Follow the hyper-posterior of each fold: `N_TASKS` tasks and the hyper-prior, divided by `N_TASKS`."""
        sizes = [value[0].numel() for value in parameters.values()]
        flat = torch.cat([value.flatten(1) for value in parameters.values()], dim=1)
        slopes = torch.cat([gradients[name].flatten(1) for name in parameters], dim=1)
        scores = -N_TASKS * slopes - flat / HYPER_SD**2
        p = min(self.n_particles, len(flat))
        turned = torch.cat([stein_directions(*fold) for fold in zip(flat.split(p), scores.split(p), strict=True)])
        parts = (-turned / N_TASKS).split(sizes, dim=1)
        return {n: part.reshape(v.shape) for (n, v), part in zip(parameters.items(), parts, strict=True)}


class Pacoh(NetworkLearner):
    """PACOH: particles over priors of a Gaussian process."""

    network = PacohNetwork()
    recipe = Recipe(weight_decay=0.0)
