"""Meta-learning by memory: networks that keep what they read and need no step of adaptation.

The neural process keeps one token per measurement, lets tokens look at each other, and looks at them from every
configuration that it predicts. The recurrent learner reads measurements one after the other into a state of fixed size.
Measurements are a set: the recurrent learner reads them by rising outcome, so that the order in which a laboratory
reported them means nothing.

Source:
    Kim et al. (2019), Attentive neural processes; departures: no latent variable, whose place the Gaussian process on
    top takes (`discovery.meta.head`). Hochreiter et al. (2001), Learning to learn using gradient descent; Cho et al.
    (2014), the gated recurrent unit.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from discovery.meta.network_family import Context, NetworkFamily, Parameters, State, Told, dense, run
from discovery.meta.network_learner import NetworkLearner
from discovery.meta.network_training import Recipe

WIDTH, N_HEADS, N_FEATURES = 64, 4, 8
HIDDEN = 64  # of the recurrent state
TIE = 1e-6  # of a column: orders measurements whose outcomes are equal by what was measured


class NeuralProcessNetwork(NetworkFamily):
    """Tokens of measurements, one round of self-attention, and attention from each query."""

    name = "neural_process"
    n_features = N_FEATURES

    def initial(self, n_dims: int, generator: torch.Generator) -> Parameters:
        """Draw encoders, attention, the token that stands for no measurement, and the decoder."""
        weights = dense("token", [n_dims + 1, WIDTH, WIDTH], generator) | dense("asked", [n_dims, WIDTH], generator)
        weights |= dense("place", [n_dims, WIDTH], generator)
        for name in ("self_q", "self_k", "self_v", "cross_q", "cross_k", "cross_v"):
            weights |= dense(name, [WIDTH, WIDTH], generator)
        weights |= dense("mean", [2 * WIDTH, WIDTH, 1], generator, 0.1)
        weights |= dense("feature", [2 * WIDTH, WIDTH, N_FEATURES], generator)
        return weights | {"nothing": 0.1 * torch.randn(WIDTH, generator=generator)}

    def read(self, parameters: Parameters, context: Context) -> State:
        """Make tokens and let them look at each other; the last one stands for having measured nothing."""
        rows = torch.cat([2 * context.X - 1, context.z[:, None]], dim=1)
        tokens = torch.cat([run("token", parameters, rows), parameters["nothing"][None]])
        mask = torch.cat([context.mask, context.mask.new_ones(1)])
        q, k, v = (run(f"self_{part}", parameters, tokens) for part in "qkv")
        tokens = torch.nn.functional.silu(tokens + attend(q, k, v, mask))
        place = torch.cat([run("place", parameters, 2 * context.X - 1), tokens.new_zeros(1, WIDTH)])
        return {
            "keys": run("cross_k", parameters, tokens + place),
            "values": run("cross_v", parameters, tokens),
            "mask": mask,
        }

    def tell(self, parameters: Parameters, state: State, X: Tensor) -> Told:
        """Look at the tokens from every configuration."""
        asked = run("asked", parameters, 2 * X - 1)
        found = attend(run("cross_q", parameters, asked), state["keys"], state["values"], state["mask"])
        both = torch.cat([torch.nn.functional.silu(asked), found], dim=1)
        return Told(run("mean", parameters, both)[:, 0], run("feature", parameters, both))


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Attend with several heads. Shapes `r x w`, `s x w`, `s x w`, `s` to `r x w`; masked rows have no say."""
    r, width = q.shape
    heads = [
        value.reshape(len(value), N_HEADS, width // N_HEADS).transpose(0, 1) for value in (q, k, v)
    ]  # g x n x w / g
    scores = heads[0] @ heads[1].transpose(-1, -2) / math.sqrt(width / N_HEADS)
    scores = scores + torch.where(mask > 0, 0.0, -1e9)
    return (torch.softmax(scores, dim=-1) @ heads[2]).transpose(0, 1).reshape(r, width)


class RecurrentNetwork(NetworkFamily):
    """A gated recurrent unit that reads measurements by rising outcome."""

    name = "recurrent"
    n_features = N_FEATURES

    def initial(self, n_dims: int, generator: torch.Generator) -> Parameters:
        """Draw the reader and the decoder."""
        weights = dense("row", [n_dims + 1, WIDTH], generator) | {"start": torch.zeros(HIDDEN)}
        weights |= dense("of_row", [WIDTH, 3 * HIDDEN], generator, 1.0)
        weights |= dense("of_state", [HIDDEN, 3 * HIDDEN], generator, 1.0)
        weights |= dense("mean", [n_dims + HIDDEN, WIDTH, WIDTH, 1], generator, 0.1)
        return weights | dense("feature", [n_dims + HIDDEN, WIDTH, N_FEATURES], generator)

    def read(self, parameters: Parameters, context: Context) -> State:
        """Read one measurement after the other."""
        rank = context.z + TIE * (context.X * torch.arange(1, context.X.shape[1] + 1, device=context.X.device)).sum(1)
        order = torch.where(context.mask > 0, rank, torch.full_like(rank, torch.inf)).argsort()
        rows = torch.cat([2 * context.X - 1, context.z[:, None]], dim=1)[order]
        given = run("of_row", parameters, torch.nn.functional.silu(run("row", parameters, rows)))
        state = parameters["start"]
        for row, is_real in zip(given, context.mask[order], strict=True):
            state = torch.where(is_real > 0, gated(row, run("of_state", parameters, state[None])[0], state), state)
        return {"state": state}

    def tell(self, parameters: Parameters, state: State, X: Tensor) -> Told:
        """Decode the state at every configuration."""
        both = torch.cat([2 * X - 1, state["state"].expand(len(X), -1)], dim=1)
        return Told(run("mean", parameters, both)[:, 0], run("feature", parameters, both))


def gated(row: Tensor, own: Tensor, state: Tensor) -> Tensor:
    """Take one step of a gated recurrent unit. Shapes `3w`, `3w`, `w` to `w`."""
    row_reset, row_update, row_new = row.chunk(3)
    own_reset, own_update, own_new = own.chunk(3)
    update = torch.sigmoid(row_update + own_update)
    new = torch.tanh(row_new + torch.sigmoid(row_reset + own_reset) * own_new)
    return (1 - update) * new + update * state


class NeuralProcess(NetworkLearner):
    """An attentive neural process."""

    network = NeuralProcessNetwork()
    recipe = Recipe(steps=600, learning_rate=2e-3)


class Recurrent(NetworkLearner):
    """A network that reads measurements in sequence."""

    network = RecurrentNetwork()
    recipe = Recipe(steps=600, learning_rate=2e-3)
