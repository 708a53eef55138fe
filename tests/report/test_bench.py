"""The report of a bench: what its tables say, in the terminal and on a page."""

import io
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from discovery.evaluation.bench.benches import BENCHES, BenchResult, run_bench
from discovery.evaluation.bench.runner import BenchRun, RunOptions
from discovery.evaluation.bench.score_statistics import SCORES
from discovery.evaluation.bench.suites import SuiteOptions, open_suite
from discovery.report.bench import bench_headline, bench_html, print_bench
from discovery.report.bench_grids import bench_grids

METHODS = {"campaigns": ("no_transfer", "cold_gp", "random"), "calibration": ("no_transfer", "cold_gp")}
OPTIONS = SuiteOptions(families=("suzuki_reizman",), n_tasks=1, n_seeds=1, n_experiments=8)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Run a small bench on one task of the checkout, and take scores of another from a table."""
    folder = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISCOVERY_CACHE", str(folder / "cache"))
        patch.delenv("DISCOVERY_DATASETS", raising=False)
        run = run_bench("campaigns", METHODS["campaigns"], OPTIONS, folder / "c.parquet", run_options=RunOptions(1))
        suite = open_suite(OPTIONS)
    rows = scores(np.random.default_rng(0))
    scored = BenchRun(rows, len(rows), len(rows), {}, {"belief on x/y": "broken"})
    summary = BENCHES["calibration"].summarize(rows, None)
    return {
        "campaigns": run,
        "calibration": BenchResult("calibration", suite, METHODS["calibration"], scored, summary, "cold_gp"),
    }


def scores(rng):
    """Return rows of scores: two methods, three supports, two counts, four tasks of one family."""
    cases = itertools.product(METHODS["calibration"], ("random", "search", "visited"), (5, 10), "abcd")
    rows = [
        {"family": "suzuki_reizman", "task": task, "method": method, "support": support, "n_support": n, "seed": 0}
        | {score: rng.uniform() for score in SCORES}
        | {"pit_counts": rng.integers(0, 9, 20).tolist(), "versions": "discovery 0"}
        for method, support, n, task in cases
    ]
    return pd.DataFrame(rows)


def printed(result):
    to = Console(file=io.StringIO(), width=160, no_color=True)
    print_bench(result, to)
    return to.file.getvalue()


@pytest.mark.parametrize("name", list(METHODS))
def test_the_tables_are_printed_in_plain_letters(results, name):
    """Away from a terminal a bench is ASCII: a sentence, then its tables with every method."""
    text = printed(results[name])
    assert text.isascii()
    assert bench_headline(results[name]).split(".")[0] in text
    for grid in bench_grids(results[name]):
        assert grid.title[:40] in text
    for method in METHODS[name]:
        assert f"| {method}" in text


def test_campaigns_have_speed_ups_against_the_reference(results):
    """The reference has no row among the speed-ups; every other method has one per start."""
    speed_ups, needed, *_ = bench_grids(results["campaigns"])
    assert [row[0] for row in speed_ups.rows] == [
        "no_transfer (same start)",
        "random (same start)",
        "no_transfer (no start)",
    ]
    assert "cold_gp (same start)" in [row[0] for row in needed.rows]
    assert "Speed-up of no_transfer over cold_gp" in bench_headline(results["campaigns"])


def test_calibration_is_shown_by_family_and_where_a_search_goes(results):
    """The share inside 90 % intervals is given for random measurements, after a search and on its next choices."""
    coverage = next(grid for grid in bench_grids(results["calibration"]) if grid.columns[1] == "family")
    cases = {row[:3] for row in coverage.rows}
    assert ("cold_gp", "suzuki_reizman", "visited") in cases and len(cases) == 6


@pytest.mark.parametrize("name", list(METHODS))
def test_a_page_has_plots_and_tables(results, tmp_path: Path, name):
    """The page is one file with the plots, every table, and what the figures hang on."""
    text = bench_html(results[name], tmp_path / "deep" / "page.html").read_text()
    assert text.count('class="plotly-graph-div"') >= 4
    assert "suzuki_reizman (1)" in text and "without the group of each task" in text
    for grid in bench_grids(results[name]):
        assert grid.title in text
    assert "<h2></h2>" not in text
    assert "full, 1 seed<" in text or "small, 1 seed<" in text


def test_a_page_without_the_reference_says_so(results, tmp_path):
    """Where nothing was run to compare with, the headline ends after the counts and the facts say why."""
    compared = results["campaigns"]
    summary = compared.summary | {"speed_ups": compared.summary["speed_ups"].iloc[:0]}
    alone = replace(compared, summary=summary)
    assert bench_headline(alone) == "4 of 4 runs on 1 task."
    assert "the reference was not run" in bench_html(alone, tmp_path / "page.html").read_text()


def test_a_page_names_what_was_not_run(results, tmp_path):
    """A method that broke is on the page with its reason."""
    text = bench_html(results["calibration"], tmp_path / "page.html").read_text()
    assert "belief on x/y" in text and "broken" in text


def test_json_has_every_table(results):
    """The JSON names what was run, what was left out, and holds every table."""
    found = results["campaigns"].to_json()
    assert (found["n_runs"], found["n_planned"], found["failed"]) == (4, 4, {})
    assert set(found["summary"]) == {"speed_ups", "harms", "needed", "enrichment", "tasks"}
    assert found["reference"] == "cold_gp"
