"""A history with other elements and levels, from its tables to the belief and to a refined version."""

import numpy as np
import pandas as pd
import pytest
import torch

from discovery.belief.belief import Belief, Hypothesis
from discovery.campaign import CampaignSpec
from discovery.meta.checkpoint import load, save
from discovery.meta.geometry import Geometry, OwnBlocks
from discovery.meta.history_bank import history_members
from discovery.meta.learner import Setting, Support
from discovery.meta.meta_gp import MetaGP
from discovery.meta.refine import held_out_nlpd, refine
from discovery.meta.scale import OutcomeScale
from discovery.space import SearchSpace
from discovery.space.elements import ELEMENTS
from discovery.tasks import HistoryDistribution, Task, read_history
from discovery.tasks.lift import Lift

OWN, OTHERS = ["Ni", "Fe", "Co"], (["Ni", "Fe", "Cu"], ["Ni", "Mn", "Co"], ["Cr", "Fe", "Co"])


def activity(parts: pd.DataFrame) -> np.ndarray:
    """An outcome that depends on the mean electronegativity and on Ni, whatever the elements."""
    mean = sum(parts[name] * ELEMENTS[name][2] for name in parts)
    return (200 * (mean - 1.7) + 10 * parts.get("Ni", 0.0)).to_numpy()


def plate(names: list[str], n: int, seed: int) -> pd.DataFrame:
    g = np.random.default_rng(seed)
    parts = pd.DataFrame(g.dirichlet(np.ones(len(names)), size=n).round(6), columns=names)
    parts[names[-1]] = 1 - parts[names[:-1]].sum(axis="columns")
    return parts.assign(base=g.choice(["KOH", "NaOH"], n), y=activity(parts))


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    """Return spec, space and history of a plate whose siblings have other elements, one of them another base."""
    folder = tmp_path_factory.mktemp("plates")
    tables = [plate(names, 60, i) for i, names in enumerate(OTHERS)]
    tables[2]["base"] = tables[2]["base"].replace("KOH", "LiOH")
    for i, table in enumerate(tables):
        table.to_csv(folder / f"old_{i}.csv", index=False)
    mapping = {
        "name": "plate",
        "parameters": [
            *({"name": name, "type": "continuous", "bounds": [0, 1]} for name in OWN),
            {"name": "base", "type": "categorical", "values": ["KOH", "NaOH"]},
        ],
        "constraints": [{"type": "simplex", "parameters": OWN}],
        "outcomes": [{"name": "y", "range": [-50, 50]}],
        "objectives": [{"name": "y"}],
        "candidates": "pool.csv",
    }
    spec = CampaignSpec.from_mapping(mapping, base_dir=folder)
    space = SearchSpace.from_spec(spec)
    return spec, space, read_history([f"old_{i}.csv" for i in range(3)], spec, space).tasks


@pytest.fixture(scope="module")
def checkpoint(campaign):
    _, space, tasks = campaign
    return MetaGP.meta_train(HistoryDistribution(tasks), Setting("history", space, OutcomeScale(0.0, 25.0, "range")))


def test_other_elements_teach(campaign, checkpoint, tmp_path):
    """Before any measurement a plate is ranked by what plates of other elements taught, from a saved checkpoint too."""
    _, space, _ = campaign
    rows = plate(OWN, 80, 9)
    X = torch.as_tensor(space.encode(rows))
    learner = MetaGP.load(load(save(checkpoint, tmp_path)))
    belief = Belief.adapt([Hypothesis("history", 1.0, learner, "x")], Support(X[:0], X[:0, 0]))
    mean, _, weight = belief.marginals(X)

    assert np.corrcoef((mean * weight).sum(1), rows["y"])[0, 1] > 0.7


def test_members_see_the_campaign_alone(campaign, checkpoint):
    """The residual keeps the campaign's own columns; only the features look at the wider space."""
    _, space, tasks = campaign
    learner = MetaGP.load(checkpoint)

    assert learner.members.inverse_lengthscale.shape[1] == space.n_dims == 5
    assert learner.features.X.shape[2] == tasks[0].space.n_dims > space.n_dims
    assert (
        learner.adapt(Support(torch.zeros(0, 5, dtype=torch.float64), torch.zeros(0, dtype=torch.float64))).model.n_dims
        == 5
    )


def test_main_effects_are_those_of_the_campaigns_own_parameters(campaign, checkpoint):
    """Each own parameter takes the main effect that was fitted for it in the wider space, not its neighbor's."""
    _, space, tasks = campaign
    wider, learner = tasks[0].space, MetaGP.load(checkpoint)
    own, fitted = OwnBlocks.of(wider), learner.trust["component_sd"]
    numbered = {**learner.trust, "component_sd": torch.arange(len(fitted)).double()}
    members = history_members(numbered, 3, Geometry.of(wider), own)

    assert len(space.blocks) == learner.components.n_components
    assert len(fitted) == len([block for block in wider.blocks if block.kind != "molecule"])
    assert members.component_sd[0].tolist() == own.index.tolist()  # the member as cross-fitted
    torch.testing.assert_close(learner.members.component_sd[0], fitted[own.index])


def test_a_finished_campaign_joins(campaign, checkpoint):
    """Its rows are lifted among those of its history, and old tasks are held out in the wider space."""
    _, space, tasks = campaign
    rows = plate(OWN, 20, 5)
    lifted = Lift.of(tasks[0].space)(torch.as_tensor(space.encode(rows))).numpy()
    new = Task("campaign:plate", lifted, rows[["y"]].to_numpy(), source="campaign:plate", space=tasks[0].space)
    result = refine(checkpoint, tasks, new, Setting("history", space, OutcomeScale(0.0, 25.0, "range")))

    assert np.isfinite(result.score_after) and held_out_nlpd(checkpoint, tasks) == pytest.approx(result.score_before)
    assert result.checkpoint.tensors["features.X"].shape[0] == 4
