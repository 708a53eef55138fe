"""What a checkpoint must have been trained with to be used again: the outcome of a simulator, and bounds, count."""

import numpy as np
import pytest

from discovery.campaign import CampaignSpec
from discovery.session.recipes import recipe_of
from discovery.tasks import Task

BASE = {
    "name": "lab",
    "parameters": [{"name": "temperature", "type": "continuous", "bounds": [30, 110]}],
    "objectives": [{"name": "yield"}, {"name": "impurity", "goal": "minimize"}],
}


def recipe(outcome, **reference):
    """The recipe of a simulator's hypothesis about one outcome."""
    simulators = [{"name": "reaction_kinetics", "noise": [0.5, 2.0], **reference}]
    spec = CampaignSpec.from_mapping({**BASE, "experience": {"simulators": simulators}})
    return recipe_of(spec.for_outcome(outcome), (), "simulator:reaction_kinetics")


def test_outcomes_of_a_simulator_have_recipes_of_their_own():
    """Another outcome of a simulator is trained again; its first one is the same with and without being named."""
    both = {"outcomes": {"yield": "yield", "impurity": "byproducts"}}
    plain = recipe("yield")
    assert recipe("yield", **both) == plain and plain["simulator"] == {"noise": [0.5, 2.0]}
    assert recipe("impurity", **both)["simulator"] == {"noise": [0.5, 2.0], "outcome": "byproducts"}


@pytest.mark.parametrize(("side", "says_so"), [(-1, True), (0, False)])
def test_bounds_in_the_history_are_part_of_the_recipe(side, says_so):
    """What an earlier release learned from bounds as if they were values is not used again."""
    spec = CampaignSpec.from_mapping({**BASE, "experience": {"history": ["old.csv"]}}).for_outcome("yield")
    spec = spec.model_copy(update={"experience": spec.experience.model_copy(update={"history": ()})})
    sides = np.array([[side]], dtype=np.int8) if side else None
    task = Task("old.csv", np.zeros((1, 1)), np.zeros((1, 1)), sides=sides)
    assert recipe_of(spec, (task,), "history").get("has_bounds", False) is says_so
