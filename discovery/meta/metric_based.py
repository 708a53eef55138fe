"""Meta-learning by a metric: embeddings in which what is near behaves alike.

Prototypical networks ask whether a configuration is nearer to the hits of a support or to the rest; matching networks
take the outcomes of the nearest. Both give a Gaussian process on top its mean (`discovery.meta.head`), which is how
they are regression hypotheses, and its probability beyond a threshold is that of a hit. The metric as a kernel is
`discovery.meta.deep_kernel`.

Source:
    Snell et al. (2017), Prototypical networks for few-shot learning; Bateni et al. (2020), Improved few-shot visual
    classification, for the regularized covariances; Vinyals et al. (2016), Matching networks for one shot learning.
    Departures: prototypes are drawn towards learned ones, so that a class may be empty; outcomes, not labels, are
    matched.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from discovery.meta.network_family import Context, NetworkFamily, Parameters, State, Told, dense, run
from discovery.meta.network_learner import NetworkLearner

WIDTH, N_EMBEDDED = 64, 8  # units of the hidden layers, and dimensions of the embedding
CROSS_ENTROPY = 0.3  # weight of telling hits from the rest, beside the density of outcomes
PRIOR_ROWS = 1.0  # rows that a learned prototype counts for
EDGE = 4.0  # logits beyond which a prototype's mean levels off


class PrototypicalNetwork(NetworkFamily):
    """Prototypes of hits and of the rest; hits are the rows above the support's own mean."""

    name = "prototypical"
    n_features = N_EMBEDDED
    is_mahalanobis: ClassVar[bool] = False

    def initial(self, n_dims: int, generator: torch.Generator) -> Parameters:
        """Draw the embedding and the prototypes that stand where a support has none."""
        weights = dense("embed", [n_dims, WIDTH, WIDTH, N_EMBEDDED], generator)
        prototypes = 0.3 * torch.randn(2, N_EMBEDDED, generator=generator)
        return weights | {"prototypes": prototypes, "reach": torch.tensor(1.0)}

    def read(self, parameters: Parameters, context: Context) -> State:
        """Find the prototypes of a support, their precisions, and the level of its outcomes."""
        embedded = run("embed", parameters, 2 * context.X - 1)
        level = (context.z * context.mask).sum() / (context.mask.sum() + 1)
        labels = torch.stack([context.z <= level, context.z > level]).to(embedded.dtype) * context.mask  # c x s
        centers = (labels @ embedded + PRIOR_ROWS * parameters["prototypes"]) / (labels.sum(1) + PRIOR_ROWS)[:, None]
        precision = torch.eye(N_EMBEDDED, dtype=embedded.dtype, device=embedded.device).expand(2, -1, -1)
        if self.is_mahalanobis:
            precision = precisions(embedded, labels, centers)
        return {"centers": centers, "precision": precision, "level": level}

    def tell(self, parameters: Parameters, state: State, X: Tensor) -> Told:
        """Say the level, and how far above or below it the nearer prototype puts a configuration."""
        embedded = run("embed", parameters, 2 * X - 1)
        logit = prototype_logit(embedded, state["centers"], state["precision"])
        return Told(state["level"] + parameters["reach"] * torch.tanh(logit / EDGE), embedded)

    def extra_loss(
        self, parameters: Parameters, state: State, context: Context, X: Tensor, z: Tensor, is_query: Tensor
    ) -> Tensor:
        """Return the cross-entropy of telling hits from the rest among the queries."""
        embedded = run("embed", parameters, 2 * X - 1)
        logit = prototype_logit(embedded, state["centers"], state["precision"])
        target = (z > state["level"]).to(logit.dtype)
        each = torch.nn.functional.binary_cross_entropy_with_logits(logit, target, reduction="none")
        return CROSS_ENTROPY * (each * is_query).sum() / is_query.sum().clamp_min(1)


class MahalanobisNetwork(PrototypicalNetwork):
    """The same with a covariance of each class's own."""

    name = "prototypical_mahalanobis"
    is_mahalanobis = True


def precisions(embedded: Tensor, labels: Tensor, centers: Tensor) -> Tensor:
    """Return the precision of each class: the inverse of its covariance, drawn to that of the task and to one.

    Args:
        embedded: Rows of the support. Shape `s x k`.
        labels: One where a row is of a class. Shape `c x s`.
        centers: Prototypes. Shape `c x k`.

    Returns:
        Shape `c x k x k`.
    """
    counts, every = labels.sum(1), labels.sum(0)
    apart = (embedded - centers[:, None]) * labels[..., None]
    own = apart.transpose(-1, -2) @ apart / counts.clamp_min(1)[:, None, None]
    middle = (every @ embedded) / every.sum().clamp_min(1)
    around = (embedded - middle) * every[:, None]
    task = around.T @ around / every.sum().clamp_min(1)
    share = (counts / (counts + 1))[:, None, None]
    identity = torch.eye(embedded.shape[1], dtype=embedded.dtype, device=embedded.device)
    return torch.linalg.inv(share * own + (1 - share) * task + identity)


def prototype_logit(embedded: Tensor, centers: Tensor, precision: Tensor) -> Tensor:
    """Return the log odds of a hit: by how much the other prototype is farther, and how wide the classes are.

    Args:
        embedded: Rows. Shape `r x k`.
        centers: Prototypes of the rest and of hits. Shape `2 x k`.
        precision: Their precisions. Shape `2 x k x k`.

    Returns:
        Shape `r`.
    """
    apart = embedded - centers[:, None]  # c x r x k
    squared = ((apart @ precision) * apart).sum(-1)
    return 0.5 * (squared[0] - squared[1] + torch.logdet(precision[1]) - torch.logdet(precision[0]))


class MatchingNetwork(NetworkFamily):
    """Outcomes of a support, averaged by nearness in an embedding."""

    name = "matching"
    n_features = N_EMBEDDED

    def initial(self, n_dims: int, generator: torch.Generator) -> Parameters:
        """Draw the embedding, how sharply nearness counts, and how much says that nothing is near."""
        weights = dense("embed", [n_dims, WIDTH, WIDTH, N_EMBEDDED], generator)
        return weights | {"log_sharpness": torch.tensor(0.0), "nothing": torch.tensor(-2.0)}

    def read(self, parameters: Parameters, context: Context) -> State:
        """Embed the support."""
        return {"embedded": run("embed", parameters, 2 * context.X - 1), "z": context.z, "mask": context.mask}

    def tell(self, parameters: Parameters, state: State, X: Tensor) -> Told:
        """Average the support's outcomes."""
        embedded = run("embed", parameters, 2 * X - 1)
        scores = -(embedded[:, None] - state["embedded"]).square().sum(-1) * parameters["log_sharpness"].exp()
        return Told(attention_mean(scores, state["z"], state["mask"], parameters["nothing"]), embedded)


def attention_mean(scores: Tensor, z: Tensor, mask: Tensor, nothing: Tensor) -> Tensor:
    """Average outcomes by attention, with an entry of outcome zero that stands for nothing being near.

    Args:
        scores: Nearness of queries and support. Shape `r x s`.
        z: Outcomes. Shape `s`.
        mask: One for real rows. Shape `s`.
        nothing: Score of the entry of outcome zero.

    Returns:
        Shape `r`.
    """
    scores = scores + torch.where(mask > 0, 0.0, -1e9)
    weights = torch.softmax(torch.cat([scores, nothing.expand(len(scores), 1)], dim=1), dim=1)
    return weights[:, :-1] @ (z * mask)


class Prototypical(NetworkLearner):
    """Prototypical networks with Euclidean distances."""

    network = PrototypicalNetwork()


class PrototypicalMahalanobis(NetworkLearner):
    """Prototypical networks with Mahalanobis distances."""

    network = MahalanobisNetwork()


class Matching(NetworkLearner):
    """Matching networks."""

    network = MatchingNetwork()
