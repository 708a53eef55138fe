"""The in-context learner: a network trained once on many simulated campaigns reads the measurements and predicts.

Nothing is trained or fitted for a campaign: the prior that ships (`discovery/meta/prior/`) is all its experience. Its
evidence is the sum of one-step log densities, each from a pass over the measurements before; unlike a bank's it depends
a little on their order. Next in the tour: `discovery.belief`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load as load_tensors
from torch import Tensor

from discovery.errors import CheckpointError
from discovery.meta.checkpoint import Checkpoint, CheckpointMeta
from discovery.meta.features import SourceFeatures
from discovery.meta.in_context_inputs import Layout
from discovery.meta.in_context_model import Context, InContextModel
from discovery.meta.in_context_network import Encoding, Episode, InContextNetwork, Mixture, Sizes
from discovery.meta.learner import Adapted, Setting, Support
from discovery.meta.scale import DECADES, PER_DECADE, SPREAD, TYPICAL, OutcomeScale

if TYPE_CHECKING:
    from discovery.tasks.distribution import TaskDistribution

NAME = "prior_fitted"
NAMES = (NAME, "in_context")  # that of earlier releases too
PRIOR = "in_context"  # file stem in `discovery/meta/prior`
MOST_READ = 60  # measurements read at once: as many as in training
GROUP = 16  # prefixes of similar length that are read together
MOST_KNOWN = 4096  # one-step densities kept


@cache
def shipped_prior() -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the weights that ship, and what is known about them."""
    folder = files("discovery.meta").joinpath("prior")
    tensors = load_tensors(folder.joinpath(f"{PRIOR}.safetensors").read_bytes())
    return tensors, json.loads(folder.joinpath(f"{PRIOR}.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class InContext:
    """The in-context family.

    Attributes:
        network: The network, in evaluation mode.
        layout: Blocks of the campaign's space.
        scale: Location and scale of the campaign's outcome.
        device: Where it lives.
        features: None; every learner says what its means refer to.
        scores: Held-out scores of its training.
        known: One-step log densities computed before, by content of the prefix: a campaign grows one by one.
    """

    network: InContextNetwork
    layout: Layout
    scale: OutcomeScale
    device: torch.device
    features: SourceFeatures
    scores: Mapping[str, float] = field(default_factory=dict)
    known: dict[bytes, Tensor] = field(default_factory=dict, repr=False)

    @classmethod
    def meta_train(
        cls, distribution: TaskDistribution | None, setting: Setting, *, start_from: Checkpoint | None = None
    ) -> Checkpoint:
        """Return the prior that ships, for a space. Nothing is trained, and no distribution is looked at.

        Args:
            distribution: Not used.
            setting: The space and the outcome's scale.
            start_from: Not used.
        """
        tensors, card = shipped_prior()
        layout = Layout.of(setting.space)
        scale = {f.name: getattr(setting.scale, f.name) for f in fields(OutcomeScale)}
        blocks = {"kinds": list(layout.kinds), "starts": list(layout.starts)}
        return Checkpoint(
            meta=CheckpointMeta(
                learner=NAME,
                hypothesis=setting.hypothesis,
                space_hash=setting.space.schema_hash,
                seed=setting.seed,
                task_sources=tuple(f"prior:{name}" for name in card["sources"]),
                scores={name: float(value) for name, value in card["validation"].items()},
                details={"sizes": card["sizes"], "layout": blocks, "scale": scale},
            ),
            tensors=dict(tensors),
        )

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: torch.device | str = "cpu") -> InContext:
        """Rebuild the learner from its checkpoint.

        Raises:
            CheckpointError: If another family made the checkpoint.
        """
        if checkpoint.meta.learner not in NAMES:
            raise CheckpointError(f"A {NAME} checkpoint is needed; this one was made by {checkpoint.meta.learner}.")
        details = checkpoint.meta.details
        network = InContextNetwork(Sizes(**details["sizes"]))
        network.load_state_dict(checkpoint.tensors)
        layout = Layout.make(**details["layout"], device=device)
        return cls(
            network=network.to(device).requires_grad_(False).eval(),
            layout=layout,
            scale=OutcomeScale(**details["scale"]),
            device=torch.device(device),
            features=SourceFeatures.empty(layout.starts[-1], device),
            scores=checkpoint.meta.scores,
        )

    @torch.no_grad()
    def adapt(self, support: Support) -> Adapted:
        """Read a support.

        Where no scale is known, measurements up to the second different outcome are told with scales over
        decades, the first one as zero and not scored; from then on the network finds the scale itself. It reads a
        bound as if it were a value, and is scored on it by the probability that it gave to that side of it.

        Args:
            support: Measurements, raw units; may hold none. Known noise variances and blocks are not used.

        Returns:
            Members are the components of the mixture; all have the same one-step log densities, the mixture's.
        """
        X, y = support.X, support.y
        units, n_told = self._units(y), self._n_told(y)
        side = torch.zeros_like(y) if support.limits is None else support.limits.to(y.dtype)
        densities = self._log_densities(X, y, side, units, range(n_told))
        if self.scale.is_anchored:
            densities[:, :1] = 0.0
        own = _own_units(y) if self.scale.is_anchored and bool((y != y[:1]).any()) else units
        later = self._log_densities(X, y, side, own, range(n_told, len(y)))
        steps = torch.cat([_mixed(units.log_prior, densities), later[0]])
        log_scale = torch.log_softmax(units.log_prior + densities.sum(-1), 0) if own is units else own.log_prior
        kept = _thinned(len(y), y.device)
        read = self._read(X[kept], own.told(y[kept])[None], kept[None] >= 0, own.is_known)
        context = Context(self.network, self.layout, X[kept], read, own.location, own.scales)
        components = torch.log_softmax(read.summary[0, :-1].to(y.dtype), dim=0)
        log_prior = (log_scale[:, None] + components).flatten()
        return Adapted(
            log_prior,
            steps.expand(len(log_prior), -1),
            lambda index: InContextModel(context, index, X[kept], y[kept], len(kept)),
            own.scales[:, None].expand(-1, len(components)).flatten(),
        )

    def _units(self, y: Tensor) -> Units:
        """Return the units that the network is told outcomes in: one where a scale is known, else a grid of them."""
        if self.scale.location is not None and self.scale.scale is not None:
            known = y.new_tensor([self.scale.location, self.scale.scale])
            return Units(known[0], known[1:], y.new_zeros(1), True)
        first = y[0] if len(y) else y.new_tensor(0.0)
        decades = torch.linspace(*DECADES, round((DECADES[1] - DECADES[0]) * PER_DECADE) + 1, dtype=y.dtype)
        weights = (1 + ((decades - TYPICAL) / SPREAD).square()).log()
        magnitude = first.abs() if first != 0 else y.new_tensor(1.0)
        scales = magnitude * 10 ** decades.to(y.device)
        return Units(first, scales, torch.log_softmax(-weights, 0).to(y.device), True)

    def _n_told(self, y: Tensor) -> int:
        """Return how many measurements are told in the units of `_units`: all, or up to the second different one."""
        if not self.scale.is_anchored or not len(y) or bool((y == y[0]).all()):
            return len(y)
        return int((y != y[0]).nonzero()[0, 0]) + 1

    def _log_densities(self, X: Tensor, y: Tensor, side: Tensor, units: Units, steps: range) -> Tensor:
        """Log density of measurements given those before, per raw unit and per scale. Shape `j x len(steps)`."""
        keys = {n: _key(X[: n + 1], y[: n + 1], side[n], units) for n in steps}
        missing = [n for n in steps if keys[n] not in self.known]
        if len(self.known) > MOST_KNOWN:
            self.known.clear()
        for start in range(0, len(missing), GROUP):
            group = missing[start : start + GROUP]
            for n, density in zip(group, self._group(X, y, side, units, group).T, strict=True):
                self.known[keys[n]] = density
        return torch.stack([self.known[key] for key in keys.values()], 1) if keys else y.new_zeros(len(units.scales), 0)

    def _group(self, X: Tensor, y: Tensor, side: Tensor, units: Units, group: list[int]) -> Tensor:
        """Log densities of some measurements in one pass. Shape `j x len(group)`.

        Outcomes are told in the first scale: where there are several, all that is told is the location itself.
        """
        rows = _padded([_thinned(n, y.device) for n in group])  # g x s, -1 where padded
        at = torch.tensor(group, device=y.device)
        both = torch.cat([rows, at[:, None]], dim=1)
        squared = self.layout.squared_distances(X[both], X[rows])
        episode = Episode(
            squared=squared,
            numbers=self.layout.numbers(X)[both],
            kind=self.layout.kind,
            y=units.told(y)[rows].to(torch.float32),
            mask=rows >= 0,
            is_known=torch.full((len(group),), units.is_known, device=y.device),
        )
        mixture = self.network(episode)
        z = ((y[at] - units.location) / units.scales[:, None]).to(torch.float32)  # j x g
        said = torch.stack([mixture.log_density(each[:, None])[:, 0] for each in z])
        densities = said.to(y.dtype) - units.scales.log()[:, None]
        if not side[at].any():
            return densities
        masses = torch.stack([_log_mass(mixture, each[:, None], side[at][:, None])[:, 0] for each in z])
        return torch.where(side[at] == 0, densities, masses.to(y.dtype))

    def _read(self, X: Tensor, told: Tensor, mask: Tensor, is_known: bool) -> Encoding:
        """Read measurements once. Shapes `s x d`, `1 x s`, `1 x s`."""
        squared, numbers = self.layout.squared_distances(X, X)[None], self.layout.numbers(X)[None]
        known = torch.tensor([is_known], device=told.device)
        return self.network.encode(Episode(squared, numbers, self.layout.kind, told.to(torch.float32), mask, known))


@dataclass(frozen=True)
class Units:
    """Units that outcomes are told in.

    Attributes:
        location: Raw outcome at zero. Scalar.
        scales: Raw units per unit, one per telling. Shape `j`.
        log_prior: Log prior weight of each scale; normalized. Shape `j`.
        is_known: Whether zero and one mean something to the network.
    """

    location: Tensor
    scales: Tensor
    log_prior: Tensor
    is_known: bool

    def told(self, y: Tensor) -> Tensor:
        """Express outcomes in the first scale."""
        return (y - self.location) / self.scales[0]


def _log_mass(mixture: Mixture, bound: Tensor, side: Tensor) -> Tensor:
    """Log probability of lying at most (`side` -1) or at least (1) at one bound per query. Shape `t x r`."""
    z = (mixture.mean - bound[..., None]) / mixture.sd * side[..., None]
    return torch.logsumexp(mixture.log_weight[:, None, :] + torch.special.log_ndtr(z), dim=-1)


def _key(X: Tensor, y: Tensor, side: Tensor, units: Units) -> bytes:
    """Return what decides a one-step density."""
    told = (units.location, units.scales) if units.is_known else ()
    told = (*told, side) if side != 0 else told
    values = torch.cat([X.flatten(), y, *(value.reshape(-1) for value in told)])
    return hashlib.blake2b(values.detach().cpu().numpy().tobytes(), digest_size=16).digest()


def _own_units(y: Tensor) -> Units:
    """Return units that mean nothing: the network's own unit is the same whatever they are, digits aside."""
    return Units(y.mean(), y.std(correction=0)[None], y.new_zeros(1), False)


def _mixed(log_prior: Tensor, densities: Tensor) -> Tensor:
    """One-step log densities of a mixture of scales. Shapes `j`, `j x n` to `n`."""
    joint = torch.logsumexp(log_prior[:, None] + densities.cumsum(1), dim=0)
    return joint.diff(prepend=torch.logsumexp(log_prior, dim=0, keepdim=True))


def _thinned(n: int, device: torch.device) -> Tensor:
    """Return which of `n` measurements are read: all, or evenly over time where they are more than in training."""
    if n <= MOST_READ:
        return torch.arange(n, device=device)
    return torch.linspace(0, n - 1, MOST_READ, device=device).round().long()


def _padded(rows: list[Tensor]) -> Tensor:
    """Pad indices with -1 at their end. Shape `g x s`."""
    longest = max(len(row) for row in rows)
    return torch.stack([torch.nn.functional.pad(row, (0, longest - len(row)), value=-1) for row in rows])
