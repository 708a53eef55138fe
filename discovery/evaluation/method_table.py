"""The table of methods: what may stand in `--methods`, and where it is. Nothing is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Iterable

# name -> "module:Class". A name with a colon ("simulator:gp_prior") is looked up by what stands before the colon.
# The class is made with the full name, so that one class may serve several names.
METHODS: dict[str, str] = {
    "random": "discovery.evaluation.methods:RandomMethod",
    "cold_gp": "discovery.evaluation.cold_gp:ColdGPMethod",
    "cold_nehvi": "discovery.evaluation.aimed_methods:ColdNehvi",
    "belief": "discovery.evaluation.belief_method:BeliefMethod",
    "no_transfer": "discovery.evaluation.belief_method:BeliefMethod",
    "history": "discovery.evaluation.belief_method:BeliefMethod",
    "deep_kernel": "discovery.evaluation.belief_method:BeliefMethod",
    "pretrained": "discovery.evaluation.belief_method:BeliefMethod",
    "simulator": "discovery.evaluation.belief_method:BeliefMethod",
    "baybe": "discovery.evaluation.baselines.baybe_campaign:BaybeMethod",
    "baybe_transfer": "discovery.evaluation.baselines.baybe_campaign:BaybeMethod",
    "ax": "discovery.evaluation.baselines.ax_client:AxMethod",
    "rgpe": "discovery.evaluation.baselines.rgpe:RGPEMethod",
    "random_forest": "discovery.evaluation.baselines.random_forest:RandomForestMethod",
    "tanimoto_gp": "discovery.evaluation.baselines.tanimoto_gp:TanimotoGPMethod",
    "knn": "discovery.evaluation.baselines.nearest:NearestMethod",
}
PREDICTORS: dict[str, str] = {
    "cold_gp": "discovery.evaluation.cold_gp:ColdGPPredictor",
    "belief": "discovery.evaluation.belief_method:BeliefPredictor",
    "no_transfer": "discovery.evaluation.belief_method:BeliefPredictor",
    "history": "discovery.evaluation.belief_method:BeliefPredictor",
    "deep_kernel": "discovery.evaluation.belief_method:BeliefPredictor",
    "pretrained": "discovery.evaluation.belief_method:BeliefPredictor",
    "simulator": "discovery.evaluation.belief_method:BeliefPredictor",
    "rgpe": "discovery.evaluation.baselines.rgpe:RGPEPredictor",
    "random_forest": "discovery.evaluation.baselines.random_forest:RandomForestPredictor",
    "tanimoto_gp": "discovery.evaluation.baselines.tanimoto_gp:TanimotoGPPredictor",
    "knn": "discovery.evaluation.baselines.nearest:NearestPredictor",
}
# Methods that learn nothing before a campaign, so that their runs may be kept and used again.
BASELINES = ("random", "cold_gp", "cold_nehvi", "baybe", "ax", "random_forest", "tanimoto_gp", "knn")
# Hypotheses made of earlier tasks alone: without any they cannot be made.
HISTORY_ALONE = ("history", "deep_kernel")
# Other people's ways to learn from earlier tasks: without any they are one of the baselines.
TRANSFERS = ("rgpe", "baybe_transfer")


def named(names: Iterable[str]) -> str:
    """Return names of methods with commas between, as one writes them."""
    return ", ".join(f"{name}:NAME" if name == "simulator" else name for name in names)
