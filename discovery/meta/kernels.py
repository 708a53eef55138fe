"""The correlation functions: Matern-5/2 of scaled, optionally warped inputs, and Tanimoto of counts."""

from __future__ import annotations

import torch
from torch import Tensor

SQRT5 = 5.0**0.5


def kumaraswamy(X: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Bend the unit interval: `1 - (1 - x^a)^b`; `a = b = 1` leaves it as it is.

    Source:
        Snoek et al. (2014), Input warping; Kumaraswamy's CDF in place of the beta CDF.
    """
    eps = 1e-7
    return 1 - (1 - X.clamp(eps, 1 - eps) ** a).clamp_min(eps) ** b


def squared_distance(A: Tensor, B: Tensor) -> Tensor:
    """Return squared Euclidean distances. Shapes `* x n x d`, `* x m x d` to `* x n x m`."""
    squares = A.square().sum(-1)[..., :, None] + B.square().sum(-1)[..., None, :]
    cross = A @ B.transpose(-1, -2)
    if cross.requires_grad or cross.shape != squares.shape:
        return (squares - 2 * cross).clamp_min(0)
    return squares.sub_(cross, alpha=2).clamp_min_(0)


def matern52(squared: Tensor) -> Tensor:
    """Return the Matern-5/2 correlation of squared scaled distances."""
    if squared.requires_grad:
        r = SQRT5 * (squared + 1e-20).sqrt()
        return (1 + r + r.square() / 3) * torch.exp(-r)
    r = squared.mul(5.0).sqrt_()  # the same in three passes: pools of thousands are scored with it
    polynomial = torch.addcmul(r + 1, r, r, value=1 / 3)
    return r.neg_().exp_().mul_(polynomial)


def tanimoto(A: Tensor, B: Tensor) -> Tensor:
    """Return Tanimoto similarities of count vectors, `<a, b> / (|a|^2 + |b|^2 - <a, b>)`; a positive definite kernel.

    Args:
        A: Nonnegative counts in any unit. Shape `* x n x d`.
        B: Counts in the same unit. Shape `* x m x d`.

    Returns:
        Similarities. Shape `* x n x m`.

    Source:
        Ralaivola et al. (2005), Graph kernels for chemical informatics, section 4.
    """
    cross = A @ B.transpose(-1, -2)
    squares = A.square().sum(-1)[..., :, None] + B.square().sum(-1)[..., None, :]
    return cross / (squares - cross).clamp_min(1e-12)
