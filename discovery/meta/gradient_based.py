"""Meta-learning by gradients: networks whose first weights are a few steps away from every task.

MAML differentiates through the steps, FOMAML does not, Reptile only follows where they lead, Meta-SGD learns a rate
for every weight, and ANIL moves nothing but the last layer, which has a closed form. Whatever the steps lead to is a
mean and features; their uncertainty is that of a Bayesian last layer (`discovery.meta.head`).

Source:
    Finn et al. (2017), Model-agnostic meta-learning; Nichol et al. (2018), On first-order meta-learning algorithms; Li
    et al. (2017), Meta-SGD; Raghu et al. (2020), Rapid learning or feature reuse, and Bertinetto et al. (2019), R2-D2,
    for the closed form. Departures: judged by the density of a Bayesian last layer instead of the squared error.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.func import grad

from discovery.meta.network_family import Context, NetworkFamily, Parameters, State, Told, dense, run
from discovery.meta.network_learner import NetworkLearner
from discovery.meta.network_training import Recipe

WIDTH, N_FEATURES = 64, 8  # units of the two hidden layers, and features of the last layer
N_STEPS, RATE = 5, 0.05  # steps of adaptation and their size
RIDGE = 1.0  # precision of the closed-form last layer's prior, at the start of meta-training


def squared_error(parameters: Parameters, context: Context) -> Tensor:
    """Return the mean squared error on the real rows of a support; zero where there are none."""
    error = (_mean(parameters, _hidden(parameters, context.X)) - context.z).square() * context.mask
    return error.sum() / context.mask.sum().clamp_min(1)


def inner_loop(
    parameters: Parameters, context: Context, rates: Parameters | float, n_steps: int, *, is_first_order: bool = False
) -> Parameters:
    """Take gradient steps on a support; differentiable unless it is to be of first order.

    Args:
        parameters: Weights that move.
        context: The support.
        rates: Size of the steps, for all weights or for each.
        n_steps: Steps.
        is_first_order: Whether the steps count as constants in derivatives.
    """
    for _ in range(n_steps):
        slopes = grad(squared_error)(parameters, context)
        if is_first_order:
            slopes = {name: slope.detach() for name, slope in slopes.items()}
        parameters = {
            name: value - (rates if isinstance(rates, float) else rates[name]) * slopes[name]
            for name, value in parameters.items()
        }
    return parameters


def _hidden(parameters: Parameters, X: Tensor) -> Tensor:
    return torch.nn.functional.silu(run("body", parameters, 2 * X - 1))


def _mean(parameters: Parameters, hidden: Tensor) -> Tensor:
    return run("mean", parameters, hidden)[..., 0]


class MamlNetwork(NetworkFamily):
    """Gradient steps from learned first weights."""

    name = "maml"
    n_features = N_FEATURES
    is_first_order: ClassVar[bool] = False

    def initial(self, n_dims: int, generator: torch.Generator) -> Parameters:
        """Draw the weights of body, mean and features."""
        weights = dense("body", [n_dims, WIDTH, WIDTH], generator) | dense("mean", [WIDTH, 1], generator, 0.1)
        return weights | dense("feature", [WIDTH, N_FEATURES], generator)

    def moving(self, parameters: Parameters) -> Parameters:
        """Return the weights that the steps move: all but those of the features."""
        return {name: value for name, value in parameters.items() if name.startswith(("body.", "mean."))}

    def rates(self, parameters: Parameters) -> Parameters | float:
        """Return the size of the steps."""
        return RATE

    def read(self, parameters: Parameters, context: Context) -> State:
        """Take the steps."""
        moving = self.moving(parameters)
        return inner_loop(moving, context, self.rates(parameters), N_STEPS, is_first_order=self.is_first_order)

    def tell(self, parameters: Parameters, state: State, X: Tensor) -> Told:
        """Run the network where the steps led."""
        hidden = _hidden(state, X)
        return Told(_mean(state, hidden), run("feature", parameters, hidden))


class FomamlNetwork(MamlNetwork):
    """The same with steps that count as constants."""

    name = "fomaml"
    is_first_order = True


class MetaSgdNetwork(MamlNetwork):
    """The same with a learned rate for every weight."""

    name = "meta_sgd"

    def initial(self, n_dims: int, generator: torch.Generator) -> Parameters:
        """Draw weights; all rates begin alike."""
        weights = super().initial(n_dims, generator)
        return weights | {f"rate.{name}": torch.full_like(v, RATE) for name, v in self.moving(weights).items()}

    def rates(self, parameters: Parameters) -> Parameters:
        """Return the rate of every weight."""
        return {name: parameters[f"rate.{name}"] for name in self.moving(parameters)}


class ReptileNetwork(FomamlNetwork):
    """First weights that follow where the steps of every task lead."""

    name = "reptile"

    def extra_loss(
        self, parameters: Parameters, state: State, context: Context, X: Tensor, z: Tensor, is_query: Tensor
    ) -> Tensor:
        """Return half the squared distance to where the steps on all rows lead: its gradient is Reptile's direction."""
        moving = self.moving(parameters)
        every = Context(X, z, torch.maximum(is_query, context.mask))
        there = inner_loop(moving, every, RATE, N_STEPS, is_first_order=True)
        return sum(((moving[name] - there[name].detach()).square().sum() for name in moving), X.new_zeros(())) / 2

    def head_weight(self) -> float:
        """Return nothing: Reptile looks at no queries; features stay as they were drawn."""
        return 0.0


class AnilNetwork(NetworkFamily):
    """A body that stays, and a last layer by ridge regression around a learned one."""

    name = "anil"
    n_features = N_FEATURES

    def initial(self, n_dims: int, generator: torch.Generator) -> Parameters:
        """Draw the weights of body, mean and features, and the ridge."""
        weights = dense("body", [n_dims, WIDTH, WIDTH], generator) | dense("mean", [WIDTH, 1], generator, 0.1)
        return weights | dense("feature", [WIDTH, N_FEATURES], generator) | {"log_ridge": torch.tensor(RIDGE).log()}

    def read(self, parameters: Parameters, context: Context) -> State:
        """Solve for the last layer: `w = w0 + (H'H + ridge I)^-1 H'(z - H w0)`."""
        hidden = _hidden(parameters, context.X) * context.mask[:, None]
        residual = (context.z - _mean(parameters, _hidden(parameters, context.X))) * context.mask
        return {"last": ridge(hidden, residual, parameters["log_ridge"].exp())}

    def tell(self, parameters: Parameters, state: State, X: Tensor) -> Told:
        """Run the body, then the solved layer."""
        hidden = _hidden(parameters, X)
        return Told(_mean(parameters, hidden) + hidden @ state["last"], run("feature", parameters, hidden))


def ridge(hidden: Tensor, residual: Tensor, precision: Tensor) -> Tensor:
    """Solve ridge regression in its dual form. Shapes `s x w`, `s` to `w`."""
    gram = hidden @ hidden.T + precision * torch.eye(hidden.shape[0], dtype=hidden.dtype, device=hidden.device)
    return hidden.T @ torch.linalg.solve(gram, residual)


class Maml(NetworkLearner):
    """MAML: gradients go through the steps of adaptation."""

    network = MamlNetwork()


class Fomaml(NetworkLearner):
    """First-order MAML: the steps count as constants."""

    network = FomamlNetwork()


class Reptile(NetworkLearner):
    """Reptile: first weights move towards where the steps lead."""

    network = ReptileNetwork()
    recipe = Recipe(learning_rate=1e-2)


class MetaSgd(NetworkLearner):
    """Meta-SGD: MAML that also learns the size of every weight's step."""

    network = MetaSgdNetwork()


class Anil(NetworkLearner):
    """ANIL with a closed-form last layer."""

    network = AnilNetwork()
