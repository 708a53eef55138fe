"""Train the acquisition policy that ships: `python -m data.train_policy --folder discovery/acquisition/prior`.

Campaigns are drawn from the simulator `gp_prior` in one, two, three and five dimensions, in turn. Other campaigns of
the same four spaces are the gate: the file that is written says the gain over LogEI there and its standard error, and
a policy whose gain is not beyond chance is LogEI wherever it is used. One core, a second or two per step.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from discovery import registry
from discovery.acquisition.policy_training import Schooling, described, held_out_gain, train
from discovery.campaign import CampaignSpec
from discovery.meta.checkpoint import Checkpoint, save
from discovery.settings import start_torch
from discovery.space import SearchSpace
from discovery.tasks.distribution import TaskDistribution

DIMENSIONS = (1, 2, 3, 5)
SIMULATOR = "gp_prior"


def cube(d: int) -> SearchSpace:
    """Return a space of `d` numbers."""
    numbers = [{"name": f"x{i}", "type": "continuous", "bounds": [0, 1]} for i in range(d)]
    outcome = [{"name": "y", "goal": "maximize"}]
    return SearchSpace.from_spec(
        CampaignSpec.from_mapping({"name": "cube", "parameters": numbers, "objectives": outcome})
    )


def distributions() -> list[TaskDistribution]:
    """Return the simulator on each of the spaces."""
    return [registry.simulator(SIMULATOR).bind(cube(d)) for d in DIMENSIONS]


def main() -> None:
    """Train, judge and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=Schooling().steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True, help="where the checkpoint is written")
    given = parser.parse_args()
    start_torch()
    schooling = dataclasses.replace(Schooling(), steps=given.steps, n_held_out=8192)
    worlds = distributions()
    network = train(worlds, schooling, given.seed, on_step=lambda i, n: print(f"{i} of {n}", end="\r", flush=True))
    scores = held_out_gain(network, worlds, schooling, given.seed)
    meta = described("policy", given.seed, schooling, scores, (f"simulator:{SIMULATOR}",))
    for old in given.folder.glob("policy-*"):
        old.unlink()
    print(f"\n{save(Checkpoint(meta, network.state_dict()), given.folder)}: {scores}")


if __name__ == "__main__":
    main()
