"""What people see on stderr while a campaign runs: one line per cycle, and a bar in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from discovery.report.style import color, number
from flows.progress import CycleSummary, Event, StageStarted, TrainingStep, listening

STAGES = {
    "adapt": "adapting the belief",
    "propose": "choosing experiments",
    "review": "asking for review",
    "experiment": "running experiments",
    "ingest": "taking in results",
    "refine": "refining the history",
}
LEAST_SHOWN = 0.005  # weights that would be written as 0.00 are left out


@contextmanager
def watching(is_verbose: bool = False, console: Console | None = None) -> Iterator[None]:
    """Show what a campaign does while the body runs, in a terminal or where asked for.

    Args:
        is_verbose: Whether to show it where stderr is no terminal.
        console: Where to show it; default stderr.
    """
    if console is None and not (is_verbose or sys.stderr.isatty()):
        yield
        return
    to = console or Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), TextColumn("{task.fields[done]}"))
    with Progress(*columns, TimeElapsedColumn(), console=to, transient=True, disable=not to.is_terminal) as bars:
        view = CampaignView(to, bars)
        with listening(view.show):
            yield


class CampaignView:
    """One running campaign on a console.

    Args:
        console: Where lines go.
        bars: Where bars go; disabled outside a terminal.
    """

    def __init__(self, console: Console, bars: Progress) -> None:
        self.console, self.bars = console, bars
        self.bar = bars.add_task("starting", total=None, done="")
        self.trained: set[str] = set()

    def show(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, TrainingStep):
            self._show_training(event)
        elif isinstance(event, StageStarted):
            text = f"cycle {event.cycle}: {STAGES.get(event.stage, event.stage)}"
            self.bars.update(self.bar, description=text, done="", total=None)
        else:
            self._show_cycle(event)

    def _show_training(self, event: TrainingStep) -> None:
        done = f"{100 * event.step / max(event.steps, 1):.0f} %"
        text = f"meta-training {event.hypothesis}"
        self.bars.update(self.bar, description=text, completed=event.step, total=event.steps, done=done)
        if event.step >= event.steps and event.hypothesis not in self.trained:
            self.trained.add(event.hypothesis)
            self.console.print(Text.assemble("meta-trained ", (event.hypothesis, color(event.hypothesis))))

    def _show_cycle(self, summary: CycleSummary) -> None:
        if not summary.outcomes:
            return
        found = " ".join(f"{number(y, 3):>5}" for y in summary.outcomes)
        unit = f" {summary.unit}" if summary.unit else ""
        line = Text(f"cycle {summary.cycle:>2}  {summary.outcome} {found}{unit}  best {number(summary.best, 3)}{unit}")
        for name, weight in sorted(summary.weights.items(), key=lambda item: -item[1]):
            if weight >= LEAST_SHOWN:
                line.append(f"  {name} {weight:.2f}", style=color(name))
        self.console.print(line, soft_wrap=True)
