"""The in-context network: measurements in, a Gaussian mixture for every query out, in one pass and without fitting.

Cells of (measurement, parameter) attend over measurements within a parameter and over parameters within a
measurement; what they say about each parameter sets the lengthscales of a few exact Gaussian processes; rows
(measurements and queries) then attend to measurements, nearer ones more, and turn the processes' predictions into a
mixture that may be skewed, spiked or wider. Nothing depends on the order of rows or of parameters, or on their number.
Next in the tour: `discovery.meta.in_context_model`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention, softplus

from discovery.meta.in_context_inputs import (
    N_KINDS,
    N_NUMBER_FEATURES,
    N_ROW_FEATURES,
    N_TASK_FEATURES,
    Outcomes,
    number_features,
    own_unit,
    row_features,
    task_features,
)
from discovery.meta.in_context_processes import Conditioned, ProcessHead, Said, condition

LEAST_SD = 0.01  # own units
MASKED = -1e4  # attention bias of what must not be seen


@dataclass(frozen=True)
class Sizes:
    """Sizes of the network.

    Attributes:
        cell: Width of a (measurement, parameter) token.
        row: Width of a row token.
        cell_layers: Layers over cells.
        row_layers: Layers over rows.
        processes: Gaussian processes `g`; also the heads of row attention.
        components: Mixture components `k`, a multiple of `processes`.
    """

    cell: int = 32
    row: int = 64
    cell_layers: int = 2
    row_layers: int = 4
    processes: int = 4
    components: int = 8


class Episode(NamedTuple):
    """Tasks of one space with `s` measured rows followed by `r` queries.

    Attributes:
        squared: Squared distance of every row to every measured row, per parameter. Shape `t x (s + r) x s x p`.
        numbers: Numeric parameters of every row. Shape `t x (s + r) x p`.
        kind: Kind of every parameter. Shape `p`.
        y: Outcomes of the measured rows. Shape `t x s`.
        mask: True for rows that are really measured. Shape `t x s`.
        is_known: Whether outcomes are given in units of a known location and scale. Shape `t`.
    """

    squared: Tensor
    numbers: Tensor
    kind: Tensor
    y: Tensor
    mask: Tensor
    is_known: Tensor


class Mixture(NamedTuple):
    """The noisy outcome of every query, in the unit that the outcomes were given in.

    Attributes:
        log_weight: Log weight of every component, the same for all queries of a task. Shape `t x k`.
        mean: Shape `t x r x k`.
        sd: Noise included. Shape `t x r x k`.
        noise_sd: Estimated standard deviation of the noise alone. Shape `t`.
    """

    log_weight: Tensor
    mean: Tensor
    sd: Tensor
    noise_sd: Tensor

    def log_density(self, y: Tensor) -> Tensor:
        """Log density of one outcome per query. Shape `t x r`."""
        z = (y[..., None] - self.mean) / self.sd
        each = self.log_weight[:, None, :] - 0.5 * z.square() - self.sd.log() - 0.5 * math.log(2 * math.pi)
        return torch.logsumexp(each, dim=-1)


class Encoding(NamedTuple):
    """What the network made of the measurements; queries are predicted from it.

    Attributes:
        blocks: What every parameter does. Shape `t x p x c`.
        common: What every row starts from. Shape `t x 1 x w`.
        fitted: The Gaussian processes, conditioned.
        layers: Tokens of the measured rows before every row layer. Shape `t x s x w` each.
        hidden: Attention bias that hides masked rows. Shape `t x 1 x 1 x s`.
        outcomes: The outcomes in their own unit.
        summary: Mixture weights before normalization, and the noise. Shape `t x (k + 1)`.
    """

    blocks: Tensor
    common: Tensor
    fitted: Conditioned
    layers: tuple[Tensor, ...]
    hidden: Tensor
    outcomes: Outcomes
    summary: Tensor

    @property
    def noise_sd(self) -> Tensor:
        """Estimated standard deviation of the noise, in the unit that the outcomes were given in. Shape `t`."""
        return self.outcomes.scale[:, 0] * (self.summary[:, -1].clamp(-5, 2) - 1).exp()


class Attention(nn.Module):
    """Multi-head attention with a bias per head and a learned key that is always there."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.kv, self.out = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)
        self.nothing = nn.Parameter(0.1 * torch.randn(2, heads, 1, width // heads))
        self.nothing_bias = nn.Parameter(torch.zeros(heads, 1, 1))

    def forward(self, rows: Tensor, keys: Tensor, bias: Tensor) -> Tensor:
        """Attend. Shapes `b x n x w`, `b x m x w`, bias `b x heads x n x m`; returns `b x n x w`."""
        b, n, width = rows.shape
        depth = width // self.heads
        q = self.q(rows).view(b, n, self.heads, depth).transpose(1, 2)
        k, v = self.kv(keys).view(b, keys.shape[1], 2, self.heads, depth).permute(2, 0, 3, 1, 4)
        none_k, none_v = self.nothing[:, None].expand(-1, b, -1, -1, -1)
        null = self.nothing_bias.expand(b, -1, n, -1)
        mixed = scaled_dot_product_attention(
            q, torch.cat([none_k, k], 2), torch.cat([none_v, v], 2), attn_mask=torch.cat([null, bias], -1)
        )
        return self.out(mixed.transpose(1, 2).reshape(b, n, width))


class FeedForward(nn.Module):
    """Two linear maps with a GELU between them, after a layer norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Add what the maps say."""
        return x + self.down(gelu(self.up(self.norm(x))))


class CellLayer(nn.Module):
    """Attention over measurements within each parameter, then over parameters within each measurement."""

    HEADS = 2

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_rows, self.norm_columns = nn.LayerNorm(width), nn.LayerNorm(width)
        self.over_rows, self.over_columns = Attention(width, self.HEADS), Attention(width, self.HEADS)
        self.sharpness = nn.Parameter(torch.tensor([3.0, 0.5]))
        self.mlp = FeedForward(width)

    def forward(self, cells: Tensor, squared: Tensor, hidden: Tensor) -> Tensor:
        """Update cells. Shapes `t x p x s x c`, `t x p x s x s`, hidden (added bias) `t x 1 x 1 x s`."""
        t, p, s, width = cells.shape
        near = hidden[:, None] - softplus(self.sharpness)[:, None, None] * squared[:, :, None]  # t x p x heads x s x s
        flat = self.norm_rows(cells).view(t * p, s, width)
        cells = cells + self.over_rows(flat, flat, near.reshape(t * p, self.HEADS, s, s)).view(t, p, s, width)
        across = self.norm_columns(cells).transpose(1, 2).reshape(t * s, p, width)
        flat_bias = across.new_zeros(1, 1, 1, 1).expand(t * s, self.HEADS, p, p)
        mixed = self.over_columns(across, across, flat_bias).view(t, s, p, width)
        return self.mlp(cells + mixed.transpose(1, 2))


class RowLayer(nn.Module):
    """Attention of rows to measured rows, nearer ones more; one head per Gaussian process's own metric."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm, self.attention, self.mlp = nn.LayerNorm(width), Attention(width, heads), FeedForward(width)
        self.sharpness = nn.Parameter(torch.linspace(-1.0, 2.0, heads))

    def forward(self, rows: Tensor, measured: Tensor, squared: Tensor, hidden: Tensor) -> Tensor:
        """Update rows. Shapes `t x n x w`, `t x s x w`, squared scaled distances `t x g x n x s`."""
        bias = hidden - softplus(self.sharpness)[:, None, None] * squared.clamp_max(50.0)
        return self.mlp(rows + self.attention(self.norm(rows), self.norm(measured), bias))


class InContextNetwork(nn.Module):
    """The whole network: `encode` reads the measurements once, `decode` predicts queries from what was read.

    Args:
        sizes: Its sizes.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        c, w, g, k = sizes.cell, sizes.row, sizes.processes, sizes.components
        self.outcome, self.kind = nn.Linear(N_ROW_FEATURES, c), nn.Embedding(N_KINDS, c)
        self.number = nn.Linear(N_NUMBER_FEATURES, c)
        self.cell_layers = nn.ModuleList(CellLayer(c) for _ in range(sizes.cell_layers))
        self.block = nn.Sequential(nn.LayerNorm(c), nn.Linear(c, c))
        self.task = nn.Sequential(nn.Linear(N_TASK_FEATURES + c, w), nn.GELU(), nn.Linear(w, w))
        self.processes = ProcessHead(sizes.processes, sizes.cell, sizes.row)
        self.measured, self.predicted = nn.Linear(N_ROW_FEATURES + g, w), nn.Linear(2 * g, w)
        self.where, self.fit = nn.Linear(N_NUMBER_FEATURES + c, w), nn.Linear(g, w)
        self.row_layers = nn.ModuleList(RowLayer(w, g) for _ in range(sizes.row_layers))
        out = nn.Linear(w, 2 * k)
        self.head = nn.Sequential(nn.LayerNorm(w), out)
        self.summary = nn.Sequential(nn.LayerNorm(2 * w), nn.Linear(2 * w, w), nn.GELU(), nn.Linear(w, k + 1))
        with torch.no_grad():
            out.weight.mul_(0.1)
            widths = torch.cat([torch.zeros(g), torch.linspace(-0.7, 0.7, k - g)])
            out.bias.copy_(torch.cat([torch.zeros(k), widths]))

    def forward(self, episode: Episode) -> Mixture:
        """Predict the queries of every task."""
        s = episode.y.shape[1]
        read = self.encode(episode._replace(squared=episode.squared[:, :s], numbers=episode.numbers[:, :s]))
        return self.decode(read, episode.squared[:, s:], episode.numbers[:, s:])

    def encode(self, episode: Episode) -> Encoding:
        """Read the measurements of every task; the episode holds no queries."""
        outcomes = own_unit(episode.y, episode.mask, episode.is_known)
        features = row_features(outcomes.u, episode.mask)
        hidden = torch.where(episode.mask, 0.0, MASKED)[:, None, None]  # t x 1 x 1 x s
        places = number_features(episode.numbers)  # t x s x p x 4
        blocks = self._blocks(features, places, episode, hidden)
        of_task = task_features(outcomes, episode.mask, episode.is_known, blocks.shape[1])
        task = self.task(torch.cat([of_task, blocks.mean(1)], -1))
        fitted = condition(self.processes(blocks, task), episode.squared, outcomes.u, episode.mask)
        common = (task + self.fit(fitted.fit))[:, None]
        left_out = fitted.left_out
        surprise = ((outcomes.u[:, None] - left_out.mean) / left_out.sd).clamp(-6, 6).transpose(1, 2)
        rows = self._rows(left_out, places, blocks, common) + self.measured(torch.cat([features, surprise], -1))
        layers = [rows]
        for layer in self.row_layers:
            rows = layer(rows, rows, left_out.squared, hidden)
            layers.append(rows)
        real = episode.mask[..., None].to(rows.dtype)
        pooled = (rows * real).sum(1) / real.sum(1).clamp_min(1)
        of_summary = self.summary(torch.cat([pooled, task], -1))
        return Encoding(blocks, common, fitted, tuple(layers[:-1]), hidden, outcomes, of_summary)

    def decode(self, read: Encoding, squared: Tensor, numbers: Tensor) -> Mixture:
        """Predict queries.

        Args:
            read: What `encode` gave.
            squared: Squared distances to the measurements, per parameter. Shape `t x r x s x p`.
            numbers: Numeric parameters of the queries. Shape `t x r x p`.
        """
        said = read.fitted.predict(squared)
        rows = self._rows(said, number_features(numbers), read.blocks, read.common)
        for layer, measured in zip(self.row_layers, read.layers, strict=True):
            rows = layer(rows, measured, said.squared, read.hidden)
        k = self.sizes.components
        repeat = k // self.sizes.processes
        mean, sd = (value.transpose(1, 2).repeat(1, 1, repeat) for value in (said.mean, said.sd))
        shift, stretch = self.head(rows).split(k, dim=-1)
        location, scale = read.outcomes.location, read.outcomes.scale
        return Mixture(
            log_weight=torch.log_softmax(read.summary[:, :k], dim=-1),
            mean=location[..., None] + scale[..., None] * (mean + sd * shift),
            sd=scale[..., None] * (sd * stretch.clamp(-5, 2).exp() + LEAST_SD),
            noise_sd=read.noise_sd,
        )

    def _blocks(self, features: Tensor, places: Tensor, episode: Episode, hidden: Tensor) -> Tensor:
        """Say what every parameter does. Shape `t x p x c`."""
        real = episode.mask[:, None, :, None].to(features.dtype)
        cells = self.outcome(features)[:, :, None] + self.number(places) + self.kind(episode.kind)
        cells, squared = cells.transpose(1, 2), episode.squared.permute(0, 3, 1, 2)
        for layer in self.cell_layers:
            cells = layer(cells, squared, hidden)
        pooled = (cells * real).sum(2) / (real.sum(2) + 1)
        return self.block(pooled + self.kind(episode.kind))

    def _rows(self, said: Said, places: Tensor, blocks: Tensor, common: Tensor) -> Tensor:
        """Start row tokens from what the processes say of them and where they lie. Shape `t x n x w`."""
        predicted = torch.cat([said.mean, said.sd.log()], dim=1).transpose(1, 2)  # t x n x 2g
        where = torch.cat([places, blocks[:, None].expand(-1, places.shape[1], -1, -1)], -1)
        return self.predicted(predicted) + gelu(self.where(where)).mean(2) + common
