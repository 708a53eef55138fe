"""Checks on histories, memories and made-up tasks: every learner and support has its row."""

from pathlib import Path

import numpy as np
import pytest
import torch

from discovery.evaluation.bench.families import load_families
from discovery.evaluation.bench.meta.few_shot import COLD, FAMILY, hit_probability
from discovery.evaluation.bench.meta.frame import CheckOptions, run_check
from discovery.evaluation.bench.meta.judging import train
from discovery.evaluation.context import open_campaign
from discovery.meta.learner import Setting, Support
from discovery.meta.scale import OutcomeScale


def test_groups_against_one_prior():
    """All learners are judged at all supports; without experience little is known before the first measurement."""
    result = run_check("hierarchical", CheckOptions(seeds=1, is_quick=True, learners=("hierarchical",)))
    found = {(row["learner"], row["support"]): row for row in result.rows}
    assert {name for name, _ in found} == {"hierarchical", "none"} and len(found) == 12
    assert result.values["adjusted_rand"] == [1.0] and result.values["groups"] == [3]
    assert all(0 <= row["coverage90"] <= 1 for row in result.rows)


@pytest.mark.slow
def test_memories_are_judged_in_both_worlds():
    """A row per learner, world and support."""
    result = run_check("memory", CheckOptions(seeds=1, is_quick=True, learners=("meta_gp",)))
    assert {(row["world"], row["support"]) for row in result.rows} == {
        (world, n) for world in ("any function", "few kinds") for n in (0, 5)
    }


@pytest.mark.slow
@pytest.mark.parametrize(("check", "learner"), [("transfer", "meta_gp"), ("unsupervised", "pseudo_tasks")])
def test_real_tables_judge_a_learner(check, learner):
    """On real tables what is learned from the others ranks better than nothing; made-up tasks have a row too."""
    result = run_check(check, CheckOptions(seeds=1, is_quick=True, learners=(learner,)))
    rank = {(row["family"], row["learner"]): row["rank"] for row in result.rows}
    assert set(rank) == {(f, name) for f in ("buchwald_hartwig", "suzuki_reizman") for name in (learner, "none")}
    if learner == "meta_gp":
        assert rank["buchwald_hartwig", "meta_gp"] > rank["buchwald_hartwig", "none"]


@pytest.mark.slow
def test_molecules_of_a_new_target_are_ranked():
    """Sixteen molecules tell active from inactive better than chance; the target is none of those learned from."""
    result = run_check("few-shot", CheckOptions(seeds=1, is_quick=True, learners=("molecule_gp",)))
    gain = {row["learner"]: row["delta_auprc"] for row in result.rows}
    assert set(gain) == {"molecule_gp", "none", *COLD} and min(gain.values()) > 0.05


@pytest.mark.slow
def test_no_learner_of_molecules_sees_the_held_out_group():
    """What the first targets may learn from holds no target of their own group."""
    tasks = load_families([FAMILY])[0].tasks
    group = {task.name: task.group for task in tasks}
    for task in tasks[:3]:
        history = open_campaign(task.spec, 16, "cpu")[0].load_history()
        taught = {Path(one.source.partition("@")[0]).stem for one in history}
        assert taught and taught <= set(group), taught
        assert task.group not in {group[name] for name in taught}


def test_a_hit_is_what_lies_beyond_the_threshold(space, surface):
    """Probabilities are shares, fall as the threshold rises, and turn around where less is better."""
    X = torch.as_tensor(space.sample(30, np.random.default_rng(0)))
    setting = Setting("no_transfer", space, OutcomeScale(50.0, 25.0, "range"))
    hypothesis, support = train("meta_gp", None, setting), Support(X[:12], torch.as_tensor(surface(X[:12].numpy())))
    low, high = (hit_probability(hypothesis, support, X[12:], threshold, 1.0) for threshold in (30.0, 60.0))
    assert ((low >= high) & (low <= 1) & (high >= 0)).all()
    np.testing.assert_allclose(hit_probability(hypothesis, support, X[12:], 30.0, -1.0), 1 - low)


def test_policies_are_compared_on_the_same_campaigns():
    """A row per space and method; LogEI gains nothing over itself, and chance loses to it."""
    result = run_check("policy", CheckOptions(seeds=1, is_quick=True))
    gain = {(row["space"], row["method"]): row["gain"] for row in result.rows}
    assert len(gain) == 16 and set(result.values["gate"]) == {"gain", "gain_se"}
    assert all(value == 0.0 for (_, method), value in gain.items() if method == "log_ei")
    assert all(value < 0.0 for (_, method), value in gain.items() if method == "random")


@pytest.mark.slow
def test_control_tasks_are_judged():
    """A row per kind of task and method; nobody is above the exact optimum."""
    rows = run_check("control", CheckOptions(seeds=1, is_quick=True)).rows
    total = {(row["tasks"], row["method"]): row["total"] for row in rows}
    assert {tasks for tasks, _ in total} == {"bernoulli_bandit", "point_mass", "reacher"}
    best = total["bernoulli_bandit", "exact optimum"]
    assert best == pytest.approx(6.66, abs=0.01)
    assert total["bernoulli_bandit", "chance"] < total["bernoulli_bandit", "thompson"] < best
