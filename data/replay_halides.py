"""Replay all fifteen aryl halides, each with the other fourteen as history: the README's figure, on real data.

`python -m data.replay_halides --seeds 3 --out OUT.json` takes about a quarter of an hour on two cores, nearly all of it
for `cold_gp`; finished baseline runs are kept and used again. `--leave-scaffold-out` also takes the two halides of the
same ring out of the history.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from data.campaigns import FOLDER, buchwald_campaign, halides
from discovery.campaign import CampaignSpec
from discovery.evaluation.backtest import BacktestOptions, backtest
from discovery.settings import set_threads

KEYS = ("experiments_to_5pct_regret", "experiments_to_10pct_regret", "experiments_to_top5pct", "regret_auc")


def replay(task: str, methods: Sequence[str], options: BacktestOptions, *, leave_scaffold_out: bool) -> dict[str, Any]:
    """Replay one halide; returns the backtest's JSON."""
    text = buchwald_campaign(task, leave_scaffold_out=leave_scaffold_out)
    spec = CampaignSpec.from_mapping(yaml.safe_load(text), base_dir=FOLDER)
    return backtest(spec, methods, options).to_json()


def main(argv: Sequence[str] | None = None) -> None:
    """Replay the halides asked for and print a table of means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", default="belief,history,no_transfer,cold_gp,random")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--experiments", type=int, default=30)
    parser.add_argument("--initial", type=int, default=0)
    parser.add_argument("--tasks", nargs="*", default=list(halides()["task"]))
    parser.add_argument("--leave-scaffold-out", action="store_true")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args(argv)
    set_threads()
    methods = arguments.methods.split(",")
    options = BacktestOptions(
        n_experiments=arguments.experiments, n_initial=arguments.initial, seeds=tuple(range(arguments.seeds))
    )
    results = {}
    for task in arguments.tasks:
        result = replay(task, methods, options, leave_scaffold_out=arguments.leave_scaffold_out)
        results[task] = result["summary"]
        counts = "  ".join(f"{m} {result['summary'][m][KEYS[0]]:.1f}" for m in methods)
        print(f"{task:40} {counts}", file=sys.stderr, flush=True)
    means = {m: {key: fmean(summary[m][key] for summary in results.values()) for key in KEYS} for m in methods}
    print(f"Means over {len(results)} halides (not reached counts as {arguments.experiments + 1})")
    for method, values in means.items():
        print(f"{method:14}" + "".join(f"  {key.removeprefix('experiments_')} {v:.3g}" for key, v in values.items()))
    if arguments.out:
        arguments.out.write_text(json.dumps({"means": means, "halides": results}, indent=1))


if __name__ == "__main__":
    main()
