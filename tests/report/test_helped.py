"""Would it have helped? The sentence follows from the verdict, the tables from the results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from discovery.evaluation.evaluate import SCORES, EvaluateResult
from discovery.evaluation.over_history import OverHistory
from discovery.evaluation.results import BacktestResult
from discovery.evaluation.verdict import HELPS, HURTS, OPEN, CampaignVerdict, FewShotVerdict
from discovery.report.helped import (
    campaign_sentence,
    evaluate_html,
    few_shot_grid,
    few_shot_sentence,
    replays_grid,
    replays_html,
)
from discovery.report.terminal import print_evaluate, print_replays


def scores(name: str, supports: tuple[int, ...] = (5, 10)) -> EvaluateResult:
    """Return an evaluation in which belief predicts twice as well."""
    runs = {
        method: [{s: dict.fromkeys(SCORES, 0.5) | {"rmse": factor * 20.0 / s} for s in supports}] * 2
        for method, factor in {"belief": 1.0, "no_transfer": 2.0}.items()
    }
    return EvaluateResult(name, "yield", "maximize", 30, supports, (0, 1), runs, dict.fromkeys(runs, 0.0), "%")


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (
            FewShotVerdict(HELPS, "no_transfer", 10, 29.7, 40, 0.9, 4),
            "With your experience, 10 measurements predict as well as 30 without it; predictions with it were better "
            "in 90 % of the runs over 4 campaigns. It would have helped.",
        ),
        (
            FewShotVerdict(HELPS, "cold_gp", 10, None, 40, 1.0, 1),
            "With your experience, 10 measurements predict better than 40 with a cold Gaussian process; predictions "
            "with it were better in 100 % of the runs. It would have helped.",
        ),
        (
            FewShotVerdict(OPEN, "no_transfer", 10, 10.4, 40, 0.5, 1),
            "With your experience, 10 measurements predict as well as 10 without it; predictions with it were better "
            "in 50 % of the runs. That is no clear difference.",
        ),
    ],
)
def test_the_few_shot_sentence_follows_the_verdict(verdict: FewShotVerdict, sentence: str) -> None:
    """Equivalent measurements, agreement of the runs, and the verdict in plain words."""
    assert few_shot_sentence(verdict) == sentence
    assert few_shot_sentence(None) == ""


def test_the_campaign_sentence_follows_the_verdict() -> None:
    """Experiments needed with and without, over how many campaigns, and the verdict in plain words."""
    assert campaign_sentence(CampaignVerdict(HURTS, "no_transfer", 12.04, 8.0, 1, 4, 5)) == (
        "With your experience a campaign comes within 5 % of the best after 12.0 experiments, without it after 8.0 "
        "(geometric means over 5 campaigns; fewer in 1, more in 4). It would have hurt."
    )
    assert "over" not in campaign_sentence(CampaignVerdict(HELPS, "cold_gp", 2.0, 8.0, 1, 0, 1))
    assert campaign_sentence(None) == ""


def test_tables_have_a_row_per_earlier_campaign(result: BacktestResult) -> None:
    """Files are named by their stem where that tells them apart; what was left out is said below."""
    small = scores("b", (5,))
    evaluated = OverHistory("lab", {"x/a.csv": scores("a"), "x/b.csv": small}, {"c.csv": "3 rows"}, {"x/a.csv": 2})
    grid = few_shot_grid(evaluated)
    assert grid.rows[0] == ("a", "belief", "30", "4", "2")
    assert grid.rows[3] == ("b", "no_transfer", "30", "8", "-")
    assert "c.csv is left out (3 rows). 2 rows of x/a.csv could not be used." in grid.note
    replayed = replays_grid(OverHistory("lab", {"x/a.csv": result, "y/a.csv": result}, {}, {}))
    assert [row[0] for row in replayed.rows] == ["x/a.csv", "y/a.csv"]
    assert replayed.columns == ("earlier campaign", "configurations", "cold_gp", "belief", "random")
    assert replayed.rows[0][1:] == ("40", "3", "2", "4*")


def test_pages_and_terminal_say_the_verdict(
    result: BacktestResult, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """One campaign or many: the sentence stands on top, the plot below."""
    said = "With your experience, 10 measurements predict better than 10 without it"
    over = OverHistory("lab", {"a.csv": scores("a"), "b.csv": scores("b")}, {}, {})
    for number, evaluated in enumerate((scores("a"), over)):
        page = evaluate_html(evaluated, tmp_path / f"{number}.html").read_text()
        assert said in page and page.count('id="plot-') == 1
        print_evaluate(evaluated)
        assert said in " ".join(capsys.readouterr().out.split())
    replays = OverHistory("lab", {"a.csv": result, "b.csv": replace(result, campaign="b")}, {}, {})
    assert "With your experience a campaign comes" in replays_html(replays, tmp_path / "r.html").read_text()
    print_replays(replays)
    assert "each earlier campaign in turn" in " ".join(capsys.readouterr().out.split())
