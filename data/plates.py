"""How good large batches are: measured campaigns replayed with batches chosen in closed form, and one by one anew.

`python -m data.plates --batch 8,16` replays two Suzuki campaigns and prints, for every batch size, the regret after
each batch (of the best yield, in points of yield) and the processor time, each way. `few` looks at 128 candidates only
and brings 32 of their values up to date for a choice: what screening costs where a pool is large.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from discovery.acquisition.pool import Plates
from discovery.campaign import load_spec
from discovery.evaluation.backtest import random_starts, replay
from discovery.evaluation.belief_method import BeliefMethod
from discovery.evaluation.context import open_campaign, prepare_all
from discovery.evaluation.results import Plan
from discovery.settings import set_threads

FOLDER = Path(__file__).parent / "campaigns"
CAMPAIGNS = ("suzuki_perera_6_bromoquinoline_boronic_acid_2a", "suzuki_reizman_case_4")
WAYS = ("anew", "closed form", "few")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m data.plates", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch", default="8,16", help="batch sizes, separated by commas")
    parser.add_argument("--batches", type=int, default=3, help="batches of each campaign")
    parser.add_argument("--method", default="no_transfer", help="belief, or the name of a hypothesis")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each, with other random starts")
    given = parser.parse_args(arguments)
    set_threads()
    for campaign in CAMPAIGNS:
        spec = load_spec(FOLDER / f"{campaign}.yaml")
        context, outcomes = open_campaign(spec, 1000, "cpu", None)
        method = BeliefMethod(given.method)
        prepare_all({given.method: method}, context, None)
        print(f"{campaign}: {len(outcomes)} candidates", file=sys.stderr)
        for size in map(int, given.batch.split(",")):
            runs = {}
            for way in WAYS:
                method.plates = _chosen(way, size)
                started = time.process_time()
                runs[way] = [
                    replay(method, context, outcomes, _plan(seed, size, given.batches, len(outcomes)))
                    for seed in range(given.seeds)
                ]
                best = [np.maximum.accumulate(run.outcomes)[size - 1 + 4 :: size] for run in runs[way]]
                regret = outcomes.max() - np.mean([row[: given.batches] for row in best], axis=0)
                same = [a.chosen == b.chosen for a, b in zip(runs[way], runs["anew"], strict=True)]
                told = f"regret {' '.join(f'{value:5.1f}' for value in regret)}  same {sum(same)} of {len(same)}"
                seconds = time.process_time() - started
                print(f"{campaign[:15]}  q {size:3}  {way:<12} {told}  {seconds:6.1f} s")
    return 0


def _chosen(way: str, size: int) -> Plates:
    """Say how batches of a size are chosen."""
    if way == "anew":
        return Plates(least=10_000)
    return Plates(least=2) if way == "closed form" else Plates(2, 32, 1, 128 // size)


def _plan(seed: int, size: int, n_batches: int, n: int) -> Plan:
    return Plan(seed, 4 + size * n_batches, random_starts(seed, n, 4), size)


if __name__ == "__main__":
    raise SystemExit(main())
