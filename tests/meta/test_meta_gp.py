"""MetaGP learns what its tasks share, and says exactly what it learned."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid
from scipy.stats import spearmanr

from discovery.errors import CheckpointError, ConfigurationError, InputError
from discovery.meta.checkpoint import load, save
from discovery.meta.features import SourceFeatures
from discovery.meta.history_bank import fit_trust, prepare_sources, rank_correlations
from discovery.meta.learner import Setting, Support
from discovery.meta.meta_gp import MetaGP
from discovery.meta.scale import OutcomeScale, outcome_scale
from discovery.meta.standardizing import standardize
from discovery.registry import simulator
from discovery.seeds import torch_generator
from discovery.tasks.history import HistoryDistribution
from discovery.tasks.task import Task, TaskBatch

SCALE = OutcomeScale(50.0, 25.0, "range")


@pytest.fixture(scope="module")
def setting(space):
    return Setting("history", space, SCALE)


@pytest.fixture(scope="module")
def history(related, setting):
    return MetaGP.meta_train(HistoryDistribution(tuple(related)), setting)


def shuffled(tasks):
    return [replace(t, Y=np.random.default_rng(i).permutation(t.Y)) for i, t in enumerate(tasks)]


def test_history_predicts_a_new_task_before_any_measurement(history, space, surface):
    """Related tasks rank a new one's configurations with no measurement of it."""
    X = space.sample(200, np.random.default_rng(99))
    learner = MetaGP.load(history)
    adapted = learner.adapt(Support.of(np.zeros((0, 5)), np.zeros(0), None, "cpu"))
    mean = (adapted.model.marginals(torch.as_tensor(X))[0] * adapted.log_prior.exp()[:, None]).sum(0).numpy()
    assert np.corrcoef(mean, surface(X, 0.05))[0, 1] > 0.9


def test_cross_fitting_sees_a_placebo(related, geometry):
    """Shuffled outcomes rank nothing, and the cross-fitted mean slope goes to nothing with them."""
    found = {}
    for name, tasks in {"real": related, "placebo": shuffled(related)}.items():
        batch = standardize(TaskBatch.from_tasks(tasks), SCALE)
        sources = prepare_sources(batch, geometry, torch_generator(0))
        rho = rank_correlations(batch, sources)
        trust = fit_trust(batch, sources, geometry)
        found[name] = (float(rho.mean()), float(trust["slope"]))
    assert found["real"][0] > 0.8 and abs(found["placebo"][0]) < 0.35
    assert found["real"][1] > 0.7 and abs(found["placebo"][1]) < 0.5


def test_ranks_are_those_of_spearman(space, geometry):
    """Equal outcomes share their rank, so that the order of a file's rows says nothing; padded rows do not count."""
    g = np.random.default_rng(0)
    sizes = (40, 25, 40)
    tasks = [Task(f"{i}", space.sample(n, g), g.choice([0, 0, 0, 50.0, 90.0], (n, 1))) for i, n in enumerate(sizes)]
    batch = standardize(TaskBatch.from_tasks(tasks), SCALE)
    sources = prepare_sources(batch, geometry, torch_generator(0))
    found = rank_correlations(batch, sources)
    for i, task in enumerate(tasks):
        others = np.delete(sources(torch.as_tensor(task.X)).numpy(), i, axis=1).sum(1)
        assert float(found[i]) == pytest.approx(spearmanr(others, task.Y[:, 0]).statistic)


def test_history_that_does_not_vary_earns_no_trust(space, setting):
    """Constant outcomes rank nothing, whatever the order of their rows."""
    tasks = [Task(f"{i}", t, np.full((30, 1), 5.0 + 20 * i)) for i, t in enumerate(_designs(space, 3))]
    checkpoint = MetaGP.meta_train(HistoryDistribution(tuple(tasks)), setting)
    assert checkpoint.meta.scores["rank_correlation"] == 0.0


def _designs(space, n):
    return [space.sample(30, np.random.default_rng(i)) for i in range(n)]


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9 / 3])
def test_history_that_does_not_vary_gives_no_scale(space, value):
    """Rounding is no spread; without a range there is then one sentence that says what to do."""
    tasks = tuple(Task(f"{i}", X, np.full((30, 1), value)) for i, X in enumerate(_designs(space, 2)))
    scale = outcome_scale(None, tasks)
    assert scale.is_anchored
    with pytest.raises(ConfigurationError, match="range must be given"):
        MetaGP.meta_train(HistoryDistribution(tasks), Setting("history", space, scale))


def test_history_in_another_unit_is_refused(related, setting):
    """One sentence with the number, and no failed factorization."""
    other = (*related[:4], replace(related[4], Y=related[4].Y * 1e9))
    with pytest.raises(InputError, match=r"in the campaign's unit, around 50; got .*e\+1"):
        MetaGP.meta_train(HistoryDistribution(other), setting)


def test_a_source_never_sees_its_own_outcome(related, geometry):
    """Changing one task's outcomes leaves the features that its trust is fitted with as they are."""
    batch = standardize(TaskBatch.from_tasks(related), SCALE)
    sources = prepare_sources(batch, geometry, torch_generator(0))
    changed = [replace(related[0], Y=100 - related[0].Y), *related[1:]]
    other = prepare_sources(standardize(TaskBatch.from_tasks(changed), SCALE), geometry, torch_generator(0))
    X = batch.X[0]
    torch.testing.assert_close(sources(X)[:, 1:], other(X)[:, 1:], rtol=1e-6, atol=1e-6)
    assert not torch.allclose(sources(X)[:, 0], other(X)[:, 0])


def test_sources_interpolate_their_own_measurements(related, geometry):
    """A source's posterior mean is near its measurements."""
    batch = standardize(TaskBatch.from_tasks(related), SCALE)
    sources = prepare_sources(batch, geometry, torch_generator(0))
    for j in range(5):
        error = sources(batch.X[j])[:, j] - batch.Y[j, :, 0]
        assert error.square().mean().sqrt() < 0.25


def test_same_setting_same_checkpoint(related, setting, history):
    """Meta-training is repeatable to the last bit."""
    again = MetaGP.meta_train(HistoryDistribution(tuple(related)), setting)
    assert again.checkpoint_id == history.checkpoint_id


def test_one_source_stays_wide(related, setting):
    """With one source nothing can be cross-fitted; trust is the documented default and no score is claimed."""
    checkpoint = MetaGP.meta_train(HistoryDistribution((related[0],)), setting)
    assert checkpoint.meta.scores == {}
    assert float(MetaGP.load(checkpoint).trust["slope"]) == pytest.approx(0.7)


@pytest.mark.parametrize("name", ["gp_prior", "reaction_kinetics"])
def test_simulators_give_members_and_shape(name, space):
    """A simulator's bank has believers and doubters of its mean shape, all finite."""
    checkpoint = MetaGP.meta_train(simulator(name).bind(space), Setting(f"simulator:{name}", space, SCALE))
    learner = MetaGP.load(checkpoint)
    assert learner.members.n_members == 64
    assert learner.features.n_features == 4
    assert checkpoint.meta.task_sources == (f"simulator:{name}",)
    adapted = learner.adapt(Support.of(np.full((1, 5), 0.5), np.array([40.0]), None, "cpu"))
    assert torch.isfinite(adapted.log_evidence).all()


def test_checkpoints_survive_the_disk(history, tmp_path, space):
    """What is loaded predicts what was saved, and keeps its identity."""
    path = save(history, tmp_path)
    back = load(path, space_hash=space.schema_hash, learner="meta_gp")
    assert back.checkpoint_id == history.checkpoint_id
    support = Support.of(np.full((1, 5), 0.5), np.array([40.0]), None, "cpu")
    one, other = MetaGP.load(history).adapt(support), MetaGP.load(back).adapt(support)
    torch.testing.assert_close(one.log_evidence, other.log_evidence)


def test_checkpoints_of_another_space_or_family_are_refused(history, tmp_path):
    """One sentence says which space was expected and what to do."""
    path = save(history, tmp_path)
    with pytest.raises(CheckpointError, match="campaign's own space"):
        load(path, space_hash="0123456789abcdef")
    with pytest.raises(CheckpointError, match="other_family checkpoint is needed"):
        load(path, learner="other_family")


@pytest.mark.parametrize("damage", ["truncate", "missing", "json"])
def test_damaged_checkpoints_are_refused(history, tmp_path, damage):
    """A damaged pair is named, never half loaded."""
    path = save(history, tmp_path)
    weights = path.with_suffix(".safetensors")
    if damage == "truncate":
        weights.write_bytes(weights.read_bytes()[:100])
    elif damage == "missing":
        weights.unlink()
    else:
        path.write_text("{")
    with pytest.raises(CheckpointError, match="readable JSON and safetensors pair"):
        load(path)


@pytest.mark.parametrize(("outcome_range", "expected"), [((0, 100), (50, 25, "range")), (None, (2.0, 1.0, "history"))])
def test_scale_comes_from_the_range_else_from_history(outcome_range, expected):
    """The campaign's own points never enter."""
    tasks = [Task("a", np.zeros((2, 1)), np.array([[1.0], [3.0]]))]
    scale = outcome_scale(outcome_range, tasks)
    assert (scale.location, scale.scale, scale.origin) == expected


def test_without_range_and_history_the_first_measurement_anchors_and_is_not_scored(space):
    """Evidence starts at the second measurement, and multiplying all outcomes changes weights by nothing."""
    setting = Setting("no_transfer", space, outcome_scale(None, []))
    learner = MetaGP.load(MetaGP.meta_train(None, setting))
    X = space.sample(4, np.random.default_rng(0))
    y = np.array([3.0, 3.5, 2.0, 4.0])
    one = learner.adapt(Support.of(X, y, None, "cpu"))
    ten = learner.adapt(Support.of(X, 10 * y, None, "cpu"))
    assert not one.log_steps[:, 0].any()
    torch.testing.assert_close(one.log_evidence, ten.log_evidence + 3 * np.log(10))


def test_no_features_are_no_features(space):
    """The no-transfer bank has none, and evaluating none gives none."""
    empty = SourceFeatures.empty(space.n_dims)
    assert empty(torch.rand(7, 5, dtype=torch.float64)).shape == (7, 0)


RANGE = OutcomeScale(50.0, 25.0, "range", 0.0, 100.0)
CROWDED = {  # what becomes of outcomes that spread evenly, and the edge where the result crowds
    "evenly": (lambda y: y, 0.0),
    "low": (lambda y: 100 * np.exp((y - 100) / 20), 1.0),
    "high": (lambda y: 100 - 100 * np.exp(-y / 20), -1.0),
}


def crowded(space, kind, n_tasks=3):
    """Tasks whose outcomes spread evenly over most of the range, or crowd at an end of it."""
    tasks = []
    for i in range(n_tasks):
        g = np.random.default_rng(i)
        X = space.sample(40, g)
        even = 50 + 38 * np.sin(4 * X[:, 3] + 0.2 * i) * np.cos(3 * X[:, 4]) + 2 * g.normal(size=40)
        tasks.append(Task(f"task {i}", X, CROWDED[kind][0](even)[:, None], source=f"task_{i}.csv"))
    return tuple(tasks)


@pytest.mark.parametrize("kind", CROWDED)
def test_outcomes_choose_their_axis(space, kind):
    """Where outcomes crowd at an edge the axis is bent towards it, and where they spread evenly it is plain."""
    cold = MetaGP.load(MetaGP.meta_train(None, Setting("no_transfer", space, RANGE)))
    for n_tasks in (1, 3):
        chosen = cold.choose_axis(crowded(space, kind, n_tasks), 0)
        assert chosen.sign == CROWDED[kind][1]
        assert (chosen.sign, chosen.delta) in RANGE.axes
        assert replace(chosen, sign=0.0, delta=1.0) == RANGE  # nothing else is changed


def test_without_an_edge_there_is_nothing_to_choose(space):
    """Where outcomes may lie on either side of zero, their axis is plain."""
    scale = OutcomeScale(50.0, 25.0, "history")
    cold = MetaGP.load(MetaGP.meta_train(None, Setting("no_transfer", space, scale)))
    assert cold.choose_axis(crowded(space, "low"), 0) == scale


@pytest.mark.parametrize("kind", ["evenly", "low"])
def test_a_history_stands_on_the_axis_that_it_chose(space, kind):
    """The checkpoint says which; all its readings are on it, and densities stay densities of raw outcomes."""
    learner = MetaGP.load(MetaGP.meta_train(HistoryDistribution(crowded(space, kind)), Setting("h", space, RANGE)))
    assert learner.scale.sign == CROWDED[kind][1]

    def log_density(y):
        adapted = learner.adapt(Support.of(np.full((1, 5), 0.5), np.array([y]), None, "cpu"))
        return float(torch.logsumexp(adapted.log_prior + adapted.log_evidence, 0))

    y = np.concatenate([np.linspace(-60, -2, 40), np.linspace(-2, 20, 120), np.linspace(21, 400, 150)])
    assert trapezoid(np.exp([log_density(v) for v in y]), y) == pytest.approx(1.0, abs=0.03)
