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

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import silu

from discovery.meta.network_family import Context, NetworkFamily, Parameters, State, Told, dense, run
from discovery.meta.network_learner import NetworkLearner
from discovery.meta.network_training import Recipe

WIDTH, N_FEATURES = 64, 8  # units of the two hidden layers, and features of the last layer
N_STEPS, RATE = 5, 0.05  # steps of adaptation and their size
RIDGE = 1.0  # precision of the closed-form last layer's prior, at the start of meta-training
Slopes = Callable[[Parameters, Context, float], Parameters]
"""The gradient of an error on a support, multiplied by a number."""


def squared_error(parameters: Parameters, context: Context) -> Tensor:
    """Return the mean squared error on the real rows of a support; zero where there are none."""
    error = (first_mean(parameters, body(parameters, context.X)) - context.z).square() * context.mask
    return error.sum() / context.mask.sum().clamp_min(1)


def error_slopes(parameters: Parameters, context: Context, scale: float = 1.0) -> Parameters:
    """Return the gradient of `scale` times `squared_error`, written out layer by layer: `dE/dW = h' g`.

    It is what automatic differentiation gives, differentiable as often, and cheaper: the scale goes to the few rows of
    the support instead of to all weights, and no graph of the first derivative is kept.
    """
    inputs = 2 * context.X - 1
    first = inputs @ parameters["body.0.weight"] + parameters["body.0.bias"]
    low = silu(first)
    second = low @ parameters["body.1.weight"] + parameters["body.1.bias"]
    high = silu(second)
    weight = 2 * scale * context.mask / context.mask.sum().clamp_min(1)
    last = (weight * (first_mean(parameters, high) - context.z))[:, None]
    upper = last * parameters["mean.0.weight"][:, 0] * _silu_slope(second, high)
    lower = upper @ parameters["body.1.weight"].T * _silu_slope(first, low)
    layers = {"body.0": (inputs, lower), "body.1": (low, upper), "mean.0": (high, last)}
    slopes = {f"{name}.weight": rows.T @ errors for name, (rows, errors) in layers.items()}
    return slopes | {f"{name}.bias": errors.sum(0) for name, (_, errors) in layers.items()}


def inner_loop(
    parameters: Parameters,
    context: Context,
    rates: Parameters | float,
    n_steps: int,
    *,
    is_first_order: bool = False,
    slopes: Slopes = error_slopes,
) -> Parameters:
    """Take gradient steps on a support; differentiable unless it is to be of first order.

    Args:
        parameters: Weights that move.
        context: The support.
        rates: Size of the steps, for all weights or for each.
        n_steps: Steps.
        is_first_order: Whether the steps count as constants in derivatives.
        slopes: What the steps follow: the gradient of an error, multiplied by a number.
    """
    scale = rates if isinstance(rates, float) else 1.0
    for _ in range(n_steps):
        here = {name: value.detach() for name, value in parameters.items()} if is_first_order else parameters
        steps = slopes(here, context, scale)
        if not isinstance(rates, float):
            steps = {name: rates[name] * step for name, step in steps.items()}
        parameters = {name: value - steps[name] for name, value in parameters.items()}
    return parameters


def body(parameters: Parameters, X: Tensor) -> Tensor:
    """Run all layers but the last. Shape `r x d` to `r x WIDTH`."""
    return silu(run("body", parameters, 2 * X - 1))


def first_mean(parameters: Parameters, hidden: Tensor) -> Tensor:
    """Run the last layer as it was learned. Shape `r x WIDTH` to `r`."""
    return run("mean", parameters, hidden)[..., 0]


def _silu_slope(x: Tensor, silu_of_x: Tensor) -> Tensor:
    """Return the derivative of `silu`: `s + silu(x) (1 - s)` with the sigmoid `s`."""
    s = torch.sigmoid(x)
    return s + silu_of_x * (1 - s)


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

    def mean_and_hidden(self, parameters: Parameters, state: State, X: Tensor) -> tuple[Tensor, Tensor]:
        """Run the network where the steps led. Shapes `r` and `r x w`."""
        hidden = body(state, X)
        return first_mean(state, hidden), hidden

    def tell(self, parameters: Parameters, state: State, X: Tensor) -> Told:
        """Tell what the network says there, and features of its last hidden layer."""
        mean, hidden = self.mean_and_hidden(parameters, state, X)
        return Told(mean, run("feature", parameters, hidden))


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
        hidden = body(parameters, context.X)
        residual = (context.z - first_mean(parameters, hidden)) * context.mask
        return {"last": ridge(hidden * context.mask[:, None], residual, parameters["log_ridge"].exp())}

    def mean_and_hidden(self, parameters: Parameters, state: State, X: Tensor) -> tuple[Tensor, Tensor]:
        """Run the body, then the solved layer. Shapes `r` and `r x w`."""
        hidden = body(parameters, X)
        return first_mean(parameters, hidden) + hidden @ state["last"], hidden

    def tell(self, parameters: Parameters, state: State, X: Tensor) -> Told:
        """Tell what the solved layer says, and features of the body."""
        mean, hidden = self.mean_and_hidden(parameters, state, X)
        return Told(mean, run("feature", parameters, hidden))


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
