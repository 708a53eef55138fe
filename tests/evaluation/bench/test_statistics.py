"""Statistics over tasks, against what can be worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.evaluation.bench import statistics
from discovery.evaluation.bench.statistics import (
    against_no_history,
    against_reference,
    bootstrap,
    enrichment,
    harms,
    per_task,
    speed_ups,
    wilcoxon_p,
)


def run(task, method, count, regret=0.5, **changes):
    """A replay of 30 experiments that needed `count` for everything and had the same regret throughout."""
    row = {"family": "f", "task": task, "method": method, "source": "related", "n_initial": 5, "seed": 0}
    row |= {measure: count for measure in statistics.SPEED_UPS} | {"regret_auc": regret, "regret": [regret] * 30}
    found = np.minimum(np.arange(1, 31) // count, 4).tolist()
    return row | {"top5_found": found, "n_top5": 4, "n_candidates": 80} | changes


def compared(*rows, method=None):
    return against_reference(per_task(pd.DataFrame(rows)), method)


def test_speed_up_is_the_geometric_mean_over_tasks():
    """Twice as fast on one task and eight times on another is four times; seeds are averaged before."""
    rows = [run("a", "cold_gp", 20), run("b", "cold_gp", 16, seed=0), run("b", "cold_gp", 32, seed=1)]
    rows += [run("a", "belief", 10), run("b", "belief", 3)]
    table = speed_ups(compared(*rows)).set_index("measure").loc["experiments_to_top1pct"]
    assert table["speed_up"] == pytest.approx(4.0)
    assert (table["low"], table["high"]) == pytest.approx((2.0, 8.0))
    assert (table["worst"], table["worst_task"], table["win_rate"]) == (pytest.approx(2.0), "f/a", 1.0)


def test_zero_starts_are_compared_with_the_started_reference():
    """Without random starts a method is held against the reference with its starts, all experiments counted."""
    pairs = compared(run("a", "cold_gp", 20), run("a", "cold_gp", 40, n_initial=0), run("a", "belief", 5, n_initial=0))
    table = speed_ups(pairs)
    own = table[(table["method"] == "belief") & (table["measure"] == "experiments_to_top5pct")].iloc[0]
    assert (own["start"], own["speed_up"]) == ("none", pytest.approx(4.0))


def test_molecules_are_compared_with_the_tanimoto_gp():
    """A family on which the Tanimoto GP was run has it as reference, the others `cold_gp`; one may be asked for."""
    rows = [run("a", "cold_gp", 8), run("a", "tanimoto_gp", 6, family="m"), run("a", "cold_gp", 12, family="m")]
    rows += [run("a", "belief", 4), run("a", "belief", 4, family="m")]
    pairs = compared(*rows)
    own = pairs[pairs["method"] == "belief"].set_index("family")
    assert own["experiments_to_top1pct_ref"].to_dict() == {"f": 8, "m": 6}
    asked = compared(*rows, method="cold_gp")
    assert asked[asked["method"] == "belief"]["experiments_to_top1pct_ref"].tolist() == [8, 12]


def test_history_is_compared_with_the_same_method_without():
    """Every source is held against no history, from the same start."""
    rows = [run("a", "belief", 10, source="none"), run("a", "belief", 30, source="none", n_initial=0)]
    rows += [run("a", "belief", 5), run("a", "belief", 20, source="inverted"), run("a", "belief", 3, n_initial=0)]
    table = speed_ups(against_no_history(per_task(pd.DataFrame(rows))))
    table = table[table["measure"] == "experiments_to_top1pct"].set_index(["start", "source"])["speed_up"]
    wanted = {("matched", "related"): 2.0, ("matched", "inverted"): 0.5, ("none", "related"): 10.0}
    assert table.to_dict() == pytest.approx(wanted)


def test_negative_transfer_counts_tasks_that_are_worse_by_a_hundredth():
    """A regret .02 above the reference's counts, .005 above does not; the worst tenth is at least one task."""
    excess = [0.02, 0.005, 0.0, -0.3]
    rows = [run(f"t{i}", "cold_gp", 9, regret=0.4) for i in range(4)]
    rows += [run(f"t{i}", "belief", 9, regret=0.4 + e) for i, e in enumerate(excess)]
    table = harms(compared(*rows)).set_index("at").loc[20]
    assert (table["ntr"], table["better"]) == (0.25, 0.25)
    assert (table["worst_excess"], table["cvar10"]) == (pytest.approx(0.02), pytest.approx(0.02))
    assert table["worst_task"] == "f/t0"


def test_a_family_has_its_own_row_and_all_families_one():
    """Speed-ups are given by family and over all tasks; one family alone is given once."""
    one = [run("a", "cold_gp", 8), run("a", "belief", 4)]
    two = [run("a", "cold_gp", 8, family="g"), run("a", "belief", 8, family="g")]
    assert speed_ups(compared(*one))["family"].unique().tolist() == ["f"]
    table = speed_ups(compared(*one, *two)).set_index(["family", "measure"])["speed_up"]
    assert table["all"]["experiments_to_top1pct"] == pytest.approx(2**0.5)


def test_finding_the_best_at_once_twice_is_a_tie():
    """Two regret areas of nothing and next to nothing are the same for all that matters."""
    pairs = compared(run("a", "cold_gp", 1, regret=0.0005), run("a", "belief", 1, regret=0.0))
    table = speed_ups(pairs).set_index("measure")
    assert table.loc["regret_auc", "speed_up"] == pytest.approx(1.0, abs=0.06)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=12))
def test_swapping_method_and_reference_inverts_the_speed_up(ratios):
    """What is twice as fast as a reference has a reference half as fast; intervals turn over as well."""
    forth, back = np.log(ratios), -np.log(ratios)
    low, high = bootstrap(forth)
    assert (-high, -low) == pytest.approx(bootstrap(back), abs=1e-9)
    assert low - 1e-9 <= forth.mean() <= high + 1e-9
    assert wilcoxon_p(forth) == pytest.approx(wilcoxon_p(back))


def test_wilcoxon_of_no_difference_is_one():
    """Where no task differs there is no evidence; where twenty all differ alike there is."""
    assert wilcoxon_p(np.zeros(5)) == 1.0
    assert wilcoxon_p(np.linspace(0.1, 1, 20)) < 0.001


def test_enrichment_and_acceleration_by_hand():
    """Four of 80 are the top; one every five experiments makes EF(10) = 2/4 / (10/80) and AF(50 %) = 40 / 10."""
    table = enrichment(pd.DataFrame([run("a", "belief", 5)]), at=(10, 40), shares=(0.5, 1.0)).iloc[0]
    assert (table["ef_10"], table["af_50"]) == (pytest.approx(4.0), pytest.approx(4.0))
    assert table["ef_40"] == pytest.approx(4 / 4 / (30 / 80))  # the run ends at 30
    assert table["af_100"] == pytest.approx(80 / 20)
