"""Train the prior that ships: `python -m data.train_prior --minutes 60 --device cpu`.

Every step draws a random space with tasks on it (`data.prior_tasks`; now and then a measured table of a development
family, `data.prior_history`), hides most outcomes, and scores the predicted mixtures of the hidden noisy outcomes by
their log density. Half of the contexts are uniform, half are biased to good outcomes as a search makes them. A run that
is killed goes on where its last checkpoint stands; `--export` writes the averaged weights and the model card's facts.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from data.prior_history import LICENSES, MeasuredTask, measured_pool, measured_tasks
from data.prior_tasks import Pool, simulated_pool
from discovery.meta.in_context_network import Episode, InContextNetwork, Sizes
from discovery.settings import start_torch

N_POOL, N_TASKS, N_QUERIES, MOST = 96, 32, 24, 60
PEAK_RATE, LAST_RATE, WARMUP = 2e-3, 2e-5, 400
AVERAGING, CLIP, NOISE_WEIGHT = 0.999, 1.0, 0.03
MEASURED_SHARE = 0.2
VALIDATION_SUPPORTS = (5, 10, 20, 40)
CHECKPOINT_EVERY_S = 150.0


@dataclass
class State:
    """Where training stands."""

    step: int = 0
    seconds: float = 0.0
    tasks: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Batch:
    """Episodes with the outcomes that are to be predicted."""

    episode: Episode
    y: Tensor  # t x r
    noise_sd: Tensor  # t, NaN where unknown


def support_size(rng: np.random.Generator, most: int) -> int:
    """Draw a number of measurements: none now and then, few as often as many."""
    if rng.random() < 0.06:
        return 0
    n = math.exp(rng.uniform(0, math.log(most + 0.99))) if rng.random() < 0.5 else rng.uniform(2, most + 0.99)
    return max(1, min(int(n), most))


def make_batch(pool: Pool, n: int, rng: np.random.Generator) -> Batch:
    """Hide most outcomes of a pool's tasks.

    Args:
        pool: Tasks on one list of configurations.
        n: Number of measurements shown.
        rng: Source of the randomness.
    """
    t, n_pool = pool.Y.shape
    r = min(N_QUERIES, n_pool - n)
    Y = pool.Y
    mean, sd = Y.mean(-1, keepdim=True), Y.std(-1, keepdim=True).clamp_min(1e-6)
    z = (Y - mean) / sd
    squared = pool.layout.squared_distances(pool.X, pool.X)
    order = _order(z, squared, rng)
    rest, tail = order[:, n : n + r // 2], order[:, n + r // 2 :]
    drawn = torch.as_tensor(np.argsort(rng.random(tail.shape), axis=1))[:, : r - r // 2]
    queries = torch.cat([rest, tail.gather(1, drawn)], dim=1)
    rows = torch.cat([order[:, :n], queries], dim=1)
    y, stretch, is_known = _told(z, rng, n)
    chosen = y.gather(1, rows)
    episode = Episode(
        squared=squared[rows[:, :, None], order[:, None, :n]],
        numbers=pool.layout.numbers(pool.X)[rows],
        kind=pool.layout.kind,
        y=chosen[:, :n],
        mask=torch.ones(t, n, dtype=torch.bool),
        is_known=is_known,
    )
    return Batch(episode, chosen[:, n:], pool.noise_sd / sd[:, 0] * stretch)


def _order(z: Tensor, squared: Tensor, rng: np.random.Generator) -> Tensor:
    """Order rows at random, in half of the tasks the better ones (or those near the best) rather first."""
    t, n = z.shape
    is_search = torch.as_tensor(rng.random((t, 1)) < 0.5)
    greed = torch.as_tensor(rng.uniform(0.3, 2.5, (t, 1)), dtype=torch.float32)
    near = torch.as_tensor(rng.uniform(0, 3, (t, 1)) * (rng.random((t, 1)) < 0.4), dtype=torch.float32)
    far = squared.mean(-1)[z.argmax(-1)]
    bias = torch.where(is_search, greed * z - near * far / far.mean(-1, keepdim=True).clamp_min(1e-6), 0.0)
    gumbel = torch.as_tensor(rng.gumbel(size=(t, n)), dtype=torch.float32)
    return (bias + gumbel).argsort(dim=-1, descending=True)


def _told(z: Tensor, rng: np.random.Generator, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Say outcomes in the pool's own scale, a shifted one, that of a range, or one that nobody knows."""
    t = z.shape[0]
    how = torch.as_tensor(rng.random((t, 1)))
    normal = torch.as_tensor(rng.standard_normal((4, t, 1)), dtype=torch.float32)
    stretch = torch.where(how < 0.4, 1.0, torch.exp(0.45 * normal[0]))
    shift = torch.where(how < 0.4, 0.0, 0.5 * normal[1])
    low, high = z.amin(-1, keepdim=True), z.amax(-1, keepdim=True)
    width = (high - low).clamp_min(1e-3) * torch.exp(0.6 * normal[2].abs() * (normal[3] > -0.3))
    ranged = (how >= 0.65) & (how < 0.8)
    stretch = torch.where(ranged, 4 / width, stretch)
    shift = torch.where(ranged, -(low + width / 2) * 4 / width, shift)
    is_known = (how < 0.8)[:, 0] | torch.tensor(n < 2)
    return shift + stretch * z, stretch[:, 0], is_known


def loss_of(network: InContextNetwork, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the training loss and the mean negative log density."""
    mixture = network(batch.episode)
    nlpd = -mixture.log_density(batch.y).clamp(-30, 4)
    known = torch.isfinite(batch.noise_sd)
    noise = (mixture.noise_sd.log() - torch.where(known, batch.noise_sd, 1.0).clamp(1e-3, 3).log()).square() * known
    return nlpd.mean() + NOISE_WEIGHT * noise.mean(), nlpd.mean().detach()


@torch.no_grad()
def validate(network: InContextNetwork, batches: dict[str, list[Batch]]) -> dict[str, float]:
    """Return the mean negative log density of fixed batches, by name."""
    return {name: float(np.mean([float(loss_of(network, b)[1]) for b in own])) for name, own in batches.items()}


def validation_batches(tasks: list[MeasuredTask]) -> dict[str, list[Batch]]:
    """Make the same batches every time: simulated ones, and held-out measured tasks, by number of measurements."""
    found: dict[str, list[Batch]] = {}
    for s in VALIDATION_SUPPORTS:
        rng, generator = np.random.default_rng(s), torch.Generator().manual_seed(s)
        pools = [simulated_pool(rng, generator, 16, N_POOL) for _ in range(12)]
        found[f"simulated_{s}"] = [make_batch(pool, s, rng) for pool in pools]
        large = [task for task in tasks if len(task.y) >= s + 10]
        if large:
            pools = [measured_pool(large, rng, 8, N_POOL) for _ in range(16)]
            found[f"measured_{s}"] = [make_batch(pool, s, rng) for pool in pools]
    return found


class Trainer:
    """Network, optimizer and running average, kept in a folder.

    Args:
        folder: Where checkpoints lie.
        sizes: Sizes of the network.
        device: Where to train.
        seed: Seed of weights and tasks.
    """

    def __init__(self, folder: Path, sizes: Sizes, device: torch.device, seed: int) -> None:
        torch.manual_seed(seed)
        self.folder, self.sizes, self.device, self.seed = folder, sizes, device, seed
        self.network = InContextNetwork(sizes).to(device)
        self.averaged = {name: p.detach().clone() for name, p in self.network.named_parameters()}
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=1e-3
        )
        self.state = State()
        if (folder / "state.json").exists():
            self._load()

    def _load(self) -> None:
        self.state = State(**json.loads((self.folder / "state.json").read_text()))
        stored = load_file(self.folder / "training.safetensors")
        for name, p in self.network.named_parameters():
            p.data.copy_(stored[f"network.{name}"])
            self.averaged[name] = stored[f"averaged.{name}"].to(self.device)
            moments = {key: stored[f"{key}.{name}"].to(self.device) for key in ("exp_avg", "exp_avg_sq")}
            self.optimizer.state[p] = {"step": torch.tensor(float(self.state.step)), **moments}

    def save(self) -> None:
        """Write everything that going on needs; the state last."""
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {}
        for name, p in self.network.named_parameters():
            tensors[f"network.{name}"] = p.detach()
            tensors[f"averaged.{name}"] = self.averaged[name]
            for key in ("exp_avg", "exp_avg_sq"):
                tensors[f"{key}.{name}"] = self.optimizer.state[p][key]
        partial = self.folder / "training.partial"
        save_file({name: value.cpu().contiguous().clone() for name, value in tensors.items()}, partial)
        partial.replace(self.folder / "training.safetensors")
        (self.folder / "state.json").write_text(json.dumps(asdict(self.state)))

    def step(self, batch: Batch, share_done: float) -> float:
        """Take one step of the optimizer; returns the mean negative log density before it."""
        rate = LAST_RATE + (PEAK_RATE - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(share_done, 1.0)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate * min(1.0, (self.state.step + 1) / WARMUP)
        loss, nlpd = loss_of(self.network, batch)
        self.optimizer.zero_grad(set_to_none=False)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        self.state.step += 1
        self.state.tasks += batch.y.shape[0]
        if torch.isfinite(norm):
            self.optimizer.step()
        keep = min(AVERAGING, (1 + self.state.step) / (10 + self.state.step))
        for name, p in self.network.named_parameters():
            self.averaged[name].lerp_(p.detach(), 1 - keep)
        return float(nlpd)

    def average(self) -> InContextNetwork:
        """Return a network with the averaged weights."""
        network = InContextNetwork(self.sizes).to(self.device)
        network.load_state_dict(self.averaged)
        return network.eval()


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Move a batch."""
    return Batch(Episode(*(value.to(device) for value in batch.episode)), batch.y.to(device), batch.noise_sd.to(device))


def train(trainer: Trainer, minutes: float, until: float) -> None:
    """Train for some minutes in all, earlier runs counted; stops at `until` (seconds since the epoch) at the latest."""
    tasks = measured_tasks()
    shown = [task for task in tasks if not task.is_held_out]
    held_out = validation_batches([task for task in tasks if task.is_held_out])
    rng = np.random.default_rng([trainer.seed, trainer.state.step])
    generator = torch.Generator().manual_seed(trainer.seed + trainer.state.step)
    last_saved, recent = time.monotonic(), list[float]()
    while trainer.state.seconds < 60 * minutes and time.time() < until:
        start = time.monotonic()
        is_measured = bool(shown) and rng.random() < MEASURED_SHARE
        pool = measured_pool(shown, rng, 16, N_POOL) if is_measured else simulated_pool(rng, generator, N_TASKS, N_POOL)
        n = support_size(rng, min(MOST, pool.Y.shape[1] - 6))
        batch = to_device(make_batch(pool, n, rng), trainer.device)
        recent.append(trainer.step(batch, trainer.state.seconds / (60 * minutes)))
        trainer.state.seconds += time.monotonic() - start
        if time.monotonic() - last_saved > CHECKPOINT_EVERY_S:
            note(trainer, held_out, recent)
            last_saved, recent = time.monotonic(), []
    note(trainer, held_out, recent)


def note(trainer: Trainer, held_out: dict[str, list[Batch]], recent: list[float]) -> None:
    """Validate the averaged weights, write down where training stands, and save."""
    state = trainer.state
    entry = {"step": state.step, "minutes": round(state.seconds / 60, 1)}
    entry |= {"train": round(float(np.mean(recent)), 4)} if recent else {}
    entry |= {name: round(value, 4) for name, value in validate(trainer.average(), held_out).items()}
    state.history.append(entry)
    print(json.dumps(entry), flush=True)
    trainer.save()


def export(trainer: Trainer, folder: Path) -> None:
    """Write the averaged weights and what a reader has to know about them."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.cpu().contiguous().clone() for k, v in trainer.averaged.items()}, folder / "in_context.safetensors")
    state = trainer.state
    card = {
        "sizes": asdict(trainer.sizes),
        "seed": trainer.seed,
        "steps": state.step,
        "tasks": state.tasks,
        "minutes": round(state.seconds / 60, 1),
        "hardware": f"{trainer.device.type}, {torch.get_num_threads()} thread(s), {platform.machine()}",
        "torch": torch.__version__,
        "sources": {"simulated": "data/prior_tasks.py, simulators/gp_prior.py, simulators/reaction_kinetics.py"}
        | {name: license for name, license in LICENSES.items()},
        "validation": state.history[-1] if state.history else {},
    }
    (folder / "in_context.json").write_text(json.dumps(card, indent=1) + "\n")


def main() -> None:
    """Train, and export what was trained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="training time in all, earlier runs counted")
    parser.add_argument("--device", default="cpu", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--folder", type=Path, default=Path("prior-training"), help="where training is kept")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--export", type=Path, help="folder that gets the averaged weights")
    parser.add_argument("--until", type=float, default=math.inf, help="stop at this time (seconds since the epoch)")
    given = parser.parse_args()
    trainer = Trainer(given.folder, Sizes(), start_torch(given.device), given.seed)
    train(trainer, given.minutes, given.until)
    if given.export is not None:
        export(trainer, given.export)


if __name__ == "__main__":
    main()
