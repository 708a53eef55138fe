"""What networks give to a bank: their means as features, and correlations of their features as shared components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from torch import Tensor

from discovery.meta.components import Components
from discovery.meta.deep_network import Networks
from discovery.meta.features import SourceFeatures
from discovery.meta.kernels import matern52, squared_distance
from discovery.tasks.lift import Lift


@dataclass(frozen=True)
class NetworkMeans(SourceFeatures):
    """The means of the networks, as the features of a bank; there are no source configurations.

    Attributes:
        networks: One per fold.
    """

    networks: Networks = None  # type: ignore[assignment]  # follows fields with defaults; always given

    @classmethod
    def of(cls, networks: Networks, lift: Lift | None) -> NetworkMeans:
        """Wrap networks."""
        none = networks.first.new_zeros(0)
        return cls(X=none, dual=none, inverse_lengthscale=none, constant=none, lift=lift, networks=networks)

    @property
    def n_features(self) -> int:
        """Number of networks."""
        return self.networks.n_folds

    def tensors(self) -> dict[str, Tensor]:
        """Return all numbers by name, for a checkpoint."""
        lift = {} if self.lift is None else {f"lift.{f.name}": getattr(self.lift, f.name) for f in fields(Lift)}
        return self.networks.named() | lift

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> NetworkMeans:
        """Rebuild the features from what `tensors` gave."""
        lift = {f.name: tensors[name] for f in fields(Lift) if (name := f"lift.{f.name}") in tensors}
        networks = Networks(**{f.name: tensors[f.name] for f in fields(Networks)})
        return cls.of(networks, Lift(**lift) if lift else None)

    def embed(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return features `f x * x k` and means `f x *` of the campaign's configurations, shape `* x d`."""
        return self.networks(X if self.lift is None else self.lift(X))

    def __call__(self, X: Tensor) -> Tensor:
        """Evaluate all means. Shape `* x d` to `* x f`; differentiable in X."""
        return self.embed(X)[1].movedim(0, -1)


@dataclass(frozen=True)
class DeepComponents(Components):
    """Correlations of the networks' features, one component per network.

    Attributes:
        means: The networks.
        lengthscale: Unit of their features in the correlation. Scalar.
    """

    means: NetworkMeans
    lengthscale: Tensor

    @classmethod
    def beside(cls, plain: Components, means: NetworkMeans, lengthscale: Tensor) -> DeepComponents:
        """Take the place of a space's own components, whose smooth columns stay."""
        return cls(plain.factor[:0], plain.is_tanimoto[:0], plain.smooth, means, lengthscale)

    @property
    def n_components(self) -> int:
        """Number of networks."""
        return self.means.n_features

    def __call__(self, A: Tensor, B: Tensor) -> Tensor:
        """Evaluate all correlations. Shapes `* x n x d`, `* x m x d` to `f x * x n x m`."""
        n_dims = max(A.ndim, B.ndim)  # networks come first, so both need the same batch dimensions to be aligned
        A, B = (X.reshape(*[1] * (n_dims - X.ndim), *X.shape) for X in (A, B))
        a, b = self.means.embed(A)[0] / self.lengthscale, self.means.embed(B)[0] / self.lengthscale
        return matern52(squared_distance(a, b))
