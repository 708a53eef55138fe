"""What staged measurements save: cost until one of the best candidates is measured at the dear stage.

`python -m data.stages` compares four ways on simulated pairs of outcomes and on real molecules whose binding (Ki) and
function (EC50) at one receptor were both measured: staged proposals, the dear stage alone, the usual cascade (screen
everything, then test in the order of the screen) and chance. `--worlds receptor --seeds 10 --jobs 2` says which, how
often and on how many processes; a table goes to stdout.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from discovery.belief.belief import Hypothesis

TABLES = Path(__file__).with_name("chembl")
LINKS = {"close": 0.95, "loose": 0.7, "useless": 0.0}
"""Simulated worlds: what the cheap outcome and the dear one have in common."""
WORLDS = (*LINKS, "receptor")
COSTS = (1.0, 10.0)
N_SIMULATED, N_BEST_SIMULATED, N_BEST_REAL = 200, 2, 5
N_START, BATCH, MOST = 3, 6, 600.0  # candidates that every way starts with, choices at once, cost at which it gives up
SPREAD = (0.25, 400, 0.1)  # lengthscale of simulated outcomes, waves that make them, noise


@dataclass(frozen=True)
class World:
    """Candidates whose outcomes are all known.

    Attributes:
        spec: Campaign as a mapping, for the search space.
        frame: Candidates.
        cheap: Outcome of the cheap stage. Shape `n`.
        dear: Outcome of the dear stage. Shape `n`.
        n_best: How many candidates count as the best.
    """

    spec: Mapping[str, object]
    frame: pd.DataFrame
    cheap: np.ndarray
    dear: np.ndarray
    n_best: int

    @property
    def is_best(self) -> np.ndarray:
        """Which candidates are the best. Shape `n`, bool."""
        return self.dear >= np.sort(self.dear)[-self.n_best]


def simulated(link: float, seed: int) -> World:
    """Draw two smooth outcomes over three numbers that have so much in common."""
    from discovery.seeds import rng

    g = rng(seed, "staged world")
    X = g.random((N_SIMULATED, 3))
    length, n_waves, noise = SPREAD

    def wave() -> np.ndarray:
        direction = g.normal(size=(3, n_waves)) / length
        found = np.cos(X @ direction + 2 * np.pi * g.random(n_waves)) @ g.normal(size=n_waves)
        return (found - found.mean()) / found.std()

    dear, other = wave(), wave()
    cheap = link * dear + (1 - link**2) ** 0.5 * other
    names = ["a", "b", "c"]
    spec = {
        "name": "simulated",
        "parameters": [{"name": name, "type": "continuous", "bounds": [0, 1]} for name in names],
        "outcomes": [{"name": name, "range": [-4, 4]} for name in ("cheap", "dear")],
        "objectives": [{"name": "dear", "goal": "maximize"}],
    }
    cheap, dear = (y + noise * g.normal(size=len(y)) for y in (cheap, dear))
    return World(spec, pd.DataFrame(X, columns=names), cheap, dear, N_BEST_SIMULATED)


def receptor() -> World:
    """Join binding and function of molecules at the kappa opioid receptor, as far as both were measured."""
    pki, pec50 = (
        pd.read_parquet(TABLES / f"chembl237_{kind}.parquet").groupby("smiles")["p_activity"].mean()
        for kind in ("ki", "ec50")
    )
    both = pd.concat({"cheap": pki, "dear": pec50}, axis=1, join="inner").sort_index().reset_index()
    spec = {
        "name": "receptor",
        "parameters": [{"name": "smiles", "type": "molecule"}],
        "outcomes": [{"name": name, "range": [4, 11]} for name in ("cheap", "dear")],
        "objectives": [{"name": "dear", "goal": "maximize"}],
    }
    return World(spec, both[["smiles"]], both["cheap"].to_numpy(), both["dear"].to_numpy(), N_BEST_REAL)


def world_of(name: str, seed: int) -> World:
    """Return a world by name; a seed draws a simulated one anew, and real data stay."""
    return receptor() if name == "receptor" else simulated(LINKS[name], seed)


def cascade(world: World, start: np.ndarray, seed: int) -> float:
    """Screen all candidates, then test in the order of the screen, ties by chance."""
    order = np.lexsort((np.random.default_rng(seed).random(len(world.cheap)), -world.cheap))
    return len(order) * COSTS[0] + COSTS[1] * (1 + int(world.is_best[order].argmax()))


def chance(world: World, start: np.ndarray, seed: int) -> float:
    """Test in random order."""
    order = np.random.default_rng(seed).permutation(len(world.dear))
    return COSTS[1] * (1 + int(world.is_best[order].argmax()))


def proposed(world: World, start: np.ndarray, seed: int, *, is_staged: bool) -> float:
    """Measure what is proposed until one of the best is measured, and return what it cost."""
    import torch

    from discovery.acquisition.stages import Progress, Stage, Staging, choose_stages
    from discovery.belief.links import adapt_stages
    from discovery.meta.learner import Support

    X, known = _prepared(world)
    stages = (Stage("screen", ("cheap",), COSTS[0]), Stage("assay", ("dear",), COSTS[1]))[0 if is_staged else 1 :]
    staging, y = Staging(stages), {"cheap": world.cheap, "dear": world.dear}
    rows = {stage.outcome: list(start) for stage in stages}
    spent = len(start) * sum(staging.costs)
    while spent < MOST:
        supports = {name: Support.of(X[done], y[name][done], None, "cpu") for name, done in rows.items()}
        beliefs = adapt_stages([(s.name, s.outcome) for s in stages], {name: known for name in rows}, supports)
        done = torch.zeros(len(stages), len(X), dtype=torch.bool)
        for position, one in enumerate(rows.values()):
            done[position, one] = True
        for choice in choose_stages(staging, beliefs, torch.as_tensor(X), Progress(done, done), BATCH, seed=seed):
            outcome = stages[staging.names.index(choice.stage)].outcome
            rows[outcome].append(choice.index)
            spent += staging.cost(choice.stage)
            if outcome == "dear" and world.is_best[choice.index]:
                return spent
    return MOST


def _prepared(world: World) -> tuple[np.ndarray, tuple[Hypothesis, ...]]:
    """Encode the candidates and make the hypothesis without experience."""
    from discovery.belief.belief import Hypothesis
    from discovery.campaign import CampaignSpec
    from discovery.meta.learner import Setting
    from discovery.meta.meta_gp import MetaGP
    from discovery.meta.scale import outcome_scale
    from discovery.space import SearchSpace

    with TemporaryDirectory() as folder:
        path = Path(folder) / "candidates.csv"
        world.frame.to_csv(path, index=False)
        spec = CampaignSpec.from_mapping({**world.spec, "candidates": str(path)})
        space = SearchSpace.from_spec(spec)
    scale = outcome_scale(spec.outcome("dear").range, [])
    trained = MetaGP.meta_train(None, Setting("no_transfer", space, scale))
    return space.encode(world.frame), (Hypothesis("no_transfer", 1.0, MetaGP.load(trained), trained.checkpoint_id),)


WAYS: dict[str, Callable[[World, np.ndarray, int], float]] = {
    "staged": partial(proposed, is_staged=True),
    "dear only": partial(proposed, is_staged=False),
    "cascade": cascade,
    "chance": chance,
}


def run_one(name: str, way: str, seed: int) -> float:
    """Return what one way cost in one world; starts are the same for all ways, and none of the best is among them."""
    from discovery.seeds import rng
    from discovery.settings import set_threads

    set_threads(1)
    world = world_of(name, seed)
    start = rng(seed, "staged start").choice(np.flatnonzero(~world.is_best), N_START, replace=False)
    return min(WAYS[way](world, start, seed), MOST)


def table(found: pd.DataFrame) -> str:
    """Lay out costs, a row per world: median over seeds, and how many seeds gave up, as Markdown."""
    lines = ["| world | " + " | ".join(WAYS) + " |", "|---" * (1 + len(WAYS)) + "|"]
    for name in found["world"].unique():
        rows = found[found["world"] == name]
        cells = []
        for way in WAYS:
            cost = rows.loc[rows["way"] == way, "cost"]
            missed = int((cost >= MOST).sum())
            cells.append(f"{cost.median():.0f} ({cost.mean():.0f}{f', {missed} not reached' if missed else ''})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all ways in all worlds, and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m data.stages", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worlds", default=",".join(WORLDS), help="worlds, separated by commas")
    parser.add_argument("--ways", default=",".join(WAYS), help="ways to measure, separated by commas")
    parser.add_argument("--seeds", type=int, default=5, help="how often, from seed 0 on")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--out", type=Path, help="CSV file for every single run")
    chosen = parser.parse_args(arguments)
    names, ways = chosen.worlds.split(","), chosen.ways.split(",")
    unknown = [one for one in names if one not in WORLDS] + [one for one in ways if one not in WAYS]
    if unknown:
        parser.error(f"there is no {unknown[0]!r}; worlds are {', '.join(WORLDS)} and ways {', '.join(WAYS)}")
    cases = [(name, way, seed) for seed in range(chosen.seeds) for name in names for way in ways]
    costs = []
    with ProcessPoolExecutor(chosen.jobs) as pool:
        for case, cost in zip(cases, pool.map(run_one, *zip(*cases, strict=True)), strict=True):
            costs.append(cost)
            sys.stderr.write(f"{' '.join(map(str, case))}: {cost:g}\n")
    found = pd.DataFrame(cases, columns=["world", "way", "seed"]).assign(cost=costs)
    if chosen.out is not None:
        found.to_csv(chosen.out, index=False)
    sys.stdout.write(table(found) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
