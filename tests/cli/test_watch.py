"""What people see while a campaign runs."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from discovery.cli.watch import watching
from flows.progress import CycleSummary, StageStarted, TrainingStep, tell

SUMMARY = CycleSummary(
    campaign="lab",
    cycle=3,
    outcome="yield",
    unit="%",
    proposals=({"proposal_id": "a", "yield": 81.25}, {"proposal_id": "b", "yield": None}),
    best=92.5,
    weights={"no_transfer": 0.2, "history": 0.8, "simulator:gp_prior": 0.001},
    n_measurements=9,
    n_budget=12,
)


def test_a_cycle_is_one_line():
    """A cycle's line names outcomes, the best so far and the weights, heaviest first; a training is named once."""
    console = Console(file=StringIO(), width=120)
    with watching(console=console):
        for step in range(3):
            tell(TrainingStep("history", step, 2))
        tell(StageStarted("propose", 3))
        tell(SUMMARY)
    assert console.file.getvalue().splitlines() == [
        "meta-trained history",
        "cycle  3  yield  81.2 %  best 92.5 %  history 0.80  no_transfer 0.20",
    ]


def test_nothing_is_shown_where_no_one_watches(capsys):
    """Where stderr is no terminal, a campaign runs in silence."""
    with watching():
        tell(SUMMARY)
    assert capsys.readouterr() == ("", "")
