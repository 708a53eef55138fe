"""The demo: a real campaign end to end, and the same campaign replayed against a cold start, in under three minutes.

One aryl halide of Buchwald-Hartwig couplings that a laboratory measured is the new campaign, the other fourteen are the
history. `python -m data.demo [--task NAME]` meta-trains, runs cycles as Prefect flow runs, replays the campaign by the
belief, by a Gaussian process that starts cold, and at random, and leaves everything in `demo/`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from data.campaigns import DEFAULT_TASK, resolve_task, write_buchwald_campaign
from discovery.campaign import CampaignSpec
from discovery.cli.watch import CampaignView
from discovery.errors import DiscoveryError
from discovery.evaluation.backtest import BacktestOptions, backtest
from discovery.evaluation.results import BacktestResult, MethodResult
from discovery.report.campaign import CampaignFrames
from discovery.report.grids import Grid, found_grid, methods_grid, weights_grid
from discovery.report.headline import best_found, headline
from discovery.report.html import backtest_html
from discovery.report.terminal import print_campaign, table
from discovery.session import Campaign
from discovery.settings import set_threads
from flows.progress import Event, StageStarted, listening
from flows.runtime import prefect_runtime

FOLDER = Path(__file__).parents[1] / "demo"
BASELINES = ("cold_gp", "random")
N_EXPERIMENTS, SEEDS = 30, (0, 1, 2)
N_WORKERS = 2
HEAVY = ("discovery.evaluation.cold_gp", "discovery.evaluation.belief_method")
LEFT_BEHIND = ("campaign.yaml", "discovery.duckdb", "discovery.duckdb.wal", "backtest.json", "report.html")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m data.demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--task", default=DEFAULT_TASK, help="the aryl halide that is new, such as 2-bromopyridine")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where everything goes; default demo/")
    given = parser.parse_args(arguments)
    os.environ.pop("DISCOVERY_STORE", None)  # the demo has a store of its own
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    try:
        run_demo(given.task, given.folder, console)
    except DiscoveryError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def run_demo(task: str, folder: Path, console: Console) -> BacktestResult:
    """Run the campaign while the baselines are replayed in processes of their own, then compare.

    Args:
        task: The aryl halide that is new.
        folder: Where everything goes.
        console: Where to tell.

    Returns:
        The backtest that the report shows.
    """
    started = time.perf_counter()
    task = resolve_task(task)  # before anything is removed: a wrong name must not cost the last demo
    clean(folder)
    campaign = Campaign.open(write_buchwald_campaign(folder / "campaign.yaml", task))
    _introduce(campaign, console)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), TextColumn("{task.fields[done]}"))
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bars:
        for name in HEAVY:
            import_module(name)  # two threads that import torch at once can trip over each other
        set_threads(1)  # the baselines use the other core
        baselines = Baselines(campaign.spec, console, bars)
        training_s, refinement = run_campaign(folder, CampaignView(console, bars))
        belief = replay_belief(campaign, training_s)
        result = baselines.result()
    merged = replace(result, methods={"belief": belief, **result.methods})
    tell(merged, campaign, folder, console)
    console.print(f"For the next campaign: {refinement}")
    console.print(f"[dim]Done in {time.perf_counter() - started:.0f} s.[/dim]")
    return merged


def clean(folder: Path) -> None:
    """Remove what an earlier demo left in its folder, and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in LEFT_BEHIND:
        (folder / name).unlink(missing_ok=True)
    for name in ("models", ".prefect"):
        shutil.rmtree(folder / name, ignore_errors=True)


class Baselines:
    """The replays of the baselines, in the background from the moment that this is made.

    Args:
        spec: The campaign.
        console: Where finished runs are told.
        bars: Where a bar shows how many are finished.
    """

    def __init__(self, spec: CampaignSpec, console: Console, bars: Progress) -> None:
        self.spec, self.console, self.bars = spec, console, bars
        self.bar = bars.add_task("replaying the baselines", total=1.0, done="")
        self._result: BacktestResult | None = None
        self._error: DiscoveryError | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def result(self) -> BacktestResult:
        """Wait for the replays and return them.

        Raises:
            DiscoveryError: If a replay failed.
        """
        self._thread.join()
        if self._result is None:
            raise self._error or DiscoveryError("The baselines must be replayed; they were not.")
        return self._result

    def _run(self) -> None:
        options = BacktestOptions(N_EXPERIMENTS, 0, SEEDS, n_workers=N_WORKERS, use_cache=False, device="cpu")
        try:
            self._result = backtest(self.spec, BASELINES, options, progress=self._show)
        except DiscoveryError as error:
            self._error = error

    def _show(self, text: str, fraction: float) -> None:
        self.bars.update(self.bar, completed=fraction, done=f"{100 * fraction:.0f} %")
        self.console.print(f"[dim]replayed {text}[/dim]")


def run_campaign(folder: Path, view: CampaignView) -> tuple[float, str]:
    """Run the campaign as Prefect flows until its budget is used, nothing stored before and nobody asked.

    Returns:
        Seconds that meta-training took, and what became of refinement, in one sentence.
    """
    stopwatch = Stopwatch()
    with prefect_runtime(folder), listening(view.show), listening(stopwatch):
        from flows.campaign import campaign as campaign_flow

        stopwatch.start()
        outcome = campaign_flow(str(folder / "campaign.yaml"))
    return stopwatch.seconds, outcome.refinement


class Stopwatch:
    """Measures the time until the first cycle begins."""

    def __init__(self) -> None:
        self.started, self.seconds = 0.0, 0.0

    def start(self) -> None:
        """Begin."""
        self.started = time.perf_counter()

    def __call__(self, event: Event) -> None:
        """Stop at the first stage of the first cycle."""
        if isinstance(event, StageStarted) and not self.seconds:
            self.seconds = time.perf_counter() - self.started


def replay_belief(campaign: Campaign, training_s: float) -> MethodResult:
    """Replay the campaign by the belief with the very hypotheses that the campaign has trained.

    It depends on measurements and the campaign's seed alone, so one run stands for every seed.
    """
    from discovery.cycle import pool_with_features
    from discovery.evaluation.backtest import replay
    from discovery.evaluation.belief_method import BeliefMethod
    from discovery.evaluation.context import open_campaign
    from discovery.evaluation.results import Plan

    context, outcomes = open_campaign(campaign.spec, N_EXPERIMENTS, "cpu")
    method = BeliefMethod()
    method.hypotheses = campaign.hypotheses()
    method.pool_inputs = pool_with_features(context.pool, method.hypotheses)
    run = replay(method, context, outcomes, Plan(seed=SEEDS[0], n_experiments=N_EXPERIMENTS))
    return MethodResult(runs=(run,), meta_train_s=training_s, is_deterministic=True)


def tell(result: BacktestResult, campaign: Campaign, folder: Path, console: Console) -> None:
    """Write the report and the backtest, and end with the comparison in the terminal."""
    frames = CampaignFrames.read(campaign.spec, campaign.store)
    (folder / "backtest.json").write_text(json.dumps(result.to_json()) + "\n", encoding="utf-8")
    backtest_html(result, folder / "report.html", frames)
    console.rule("The campaign")
    print_campaign(frames, console)
    console.rule("The same campaign replayed, one experiment at a time")
    weights = weights_grid(result, "belief")
    assert weights is not None
    for part in (best_found(result, "belief"), found_grid(result, "belief"), weights, methods_grid(result)):
        shown = table(part, is_plain=not console.is_terminal) if isinstance(part, Grid) else part
        console.print(shown)
        console.print()
    console.print(headline(result), style="bold")
    where = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    console.print(f"\nReport with plots: {where / 'report.html'}")
    console.print(f"Every number:      {where / 'backtest.json'} and {where / 'discovery.duckdb'}")
    console.print(f"Look around:       discovery status {where / 'campaign.yaml'}")


def _introduce(campaign: Campaign, console: Console) -> None:
    """Say what is about to happen."""
    spec = campaign.spec
    assert campaign.pool is not None
    console.rule("Closed-loop discovery: Buchwald-Hartwig couplings that a laboratory has measured")
    console.print(
        f"New: {spec.name.removeprefix('buchwald_hartwig_').replace('_', '-')}, {len(campaign.pool)} conditions that "
        f"could be tried ({' x '.join(spec.parameter_names)}).\n"
        f"Known: {len(spec.experience.history)} other aryl halides, and "
        f"{len(spec.experience.simulators)} simulators.\n"
        f"Now: {spec.budget.experiments} experiments, {spec.acquisition.batch_size} a cycle, as Prefect flow runs; "
        f"beside it the campaign is replayed cold ({', '.join(BASELINES)}; {len(SEEDS)} seeds, {N_EXPERIMENTS} "
        "experiments each).\n"
    )


if __name__ == "__main__":
    sys.exit(main())
