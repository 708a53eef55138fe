"""Meta-learning by an external memory: what past tasks led to is written down, and looked up by what is measured now.

A body and a first last layer are trained as in ANIL. Then every task of the past is adapted to all of its measurements
and the last layer that this led to is written into a slot. A campaign's few measurements say how well each slot would
have foretold them; the layer that the likeliest slots hold is the warm start of one closed-form step.

Source:
    Santoro et al. (2016), Meta-learning with memory-augmented neural networks, and Ramalho and Garnelo (2019), Adaptive
    posterior learning, for reading a memory by its likeness to the task; departures: values are adapted states, keys
    are what they foretell, and writing happens once, after training.
"""

from __future__ import annotations

import torch
from torch import Tensor

from discovery.meta.episodes import Supply
from discovery.meta.gradient_based import WIDTH, AnilNetwork, body, first_mean, ridge
from discovery.meta.network_family import Context, Parameters, State
from discovery.meta.network_heads import read_all
from discovery.meta.network_learner import NetworkLearner

N_SLOTS = 128  # tasks that are remembered at most
NOTHING = 4.0  # slots that the start without memory counts for
START_SPREAD = 0.5  # standard deviation by which a slot's foretelling may be off


class MemoryNetwork(AnilNetwork):
    """ANIL that starts from what similar tasks led to."""

    name = "memory"

    def initial(self, n_dims: int, generator: torch.Generator) -> Parameters:
        """Draw a body; the memory is empty."""
        slots = {"slots": torch.zeros(N_SLOTS, WIDTH), "is_filled": torch.zeros(N_SLOTS)}
        return super().initial(n_dims, generator) | slots | {"log_spread": torch.tensor(START_SPREAD).log()}

    def read(self, parameters: Parameters, context: Context) -> State:
        """Look up the likeliest slots and solve for the last layer around what they hold."""
        hidden = body(parameters, context.X)
        residual = (context.z - first_mean(parameters, hidden)) * context.mask
        hidden = hidden * context.mask[:, None]
        slots, is_filled = parameters["slots"], parameters["is_filled"]
        told = likeness(hidden, residual, slots, parameters["log_spread"].exp())
        found = torch.softmax(
            torch.where(torch.cat([is_filled, is_filled.new_ones(1)]) > 0, told, torch.full_like(told, -1e9)), dim=0
        )
        warm = found[:-1] @ slots
        return {"last": warm + ridge(hidden, residual - hidden @ warm, parameters["log_ridge"].exp())}

    def written(
        self, parameters: Parameters, supply: Supply, is_seen: Tensor, generator: torch.Generator
    ) -> Parameters:
        """Write what tasks of the past led to into the slots: only those that a network has seen."""
        empty = {**parameters, "is_filled": torch.zeros_like(parameters["is_filled"])}
        layers, seen, n = list[Tensor](), list[Tensor](), 0
        while n < N_SLOTS:
            some = supply.check(generator)
            every = (some.is_support | some.is_query).float()
            layers.append(read_all(self, empty, some.X, some.z, every)["last"])  # f x t x w
            seen.append(is_seen[:, some.tasks])
            n += some.n_tasks
            if supply.n_sources:  # each task once
                break
        slots, filled = torch.cat(layers, dim=1), torch.cat(seen, dim=1)
        kept = torch.randperm(slots.shape[1], generator=generator)[:N_SLOTS].to(slots.device)
        room = N_SLOTS - len(kept)
        slots = torch.nn.functional.pad(slots[:, kept], (0, 0, 0, room))
        filled = torch.nn.functional.pad(filled[:, kept].to(slots.dtype), (0, room))
        return {**parameters, "slots": slots.detach(), "is_filled": filled}


def likeness(hidden: Tensor, residual: Tensor, slots: Tensor, spread: Tensor) -> Tensor:
    """Return the log odds of each slot by what it foretells of a support, and of starting from nothing, last.

    Args:
        hidden: What the body makes of the support; zero where padded. Shape `s x w`.
        residual: Outcomes less what is said before; zero where padded. Shape `s`.
        slots: Last layers. Shape `m x w`.
        spread: Standard deviation by which a slot may be off.

    Returns:
        Shape `m + 1`.
    """
    off = residual - slots @ hidden.T  # m x s
    odds = -0.5 * off.square().sum(1) / spread.square()
    nothing = -0.5 * residual.square().sum() / spread.square() + torch.log(spread.new_tensor(NOTHING))
    return torch.cat([odds, nothing[None]])


class Memory(NetworkLearner):
    """A memory of past tasks, read by likeness."""

    network = MemoryNetwork()
