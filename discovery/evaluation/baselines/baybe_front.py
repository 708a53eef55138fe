"""BayBE with its defaults on a front of compromises: its Pareto objective, which takes the noisy expected hypervolume.

Written for BayBE 0.15: one Gaussian process per objective, a reference point of its own choice. It sees each objective
as a score, more is better. Next in the tour: `discovery.evaluation.aimed_backtest`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from discovery import seeds
from discovery.errors import NotSupportedError
from discovery.evaluation.baselines.baybe_campaign import PACKAGE, baybe_campaign
from discovery.evaluation.baselines.optional import load_optional
from discovery.evaluation.baselines.parameters import PlainTables, plain_tables
from discovery.evaluation.methods import BacktestContext, Choice, Progress
from discovery.standing import scores

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.evaluation.aimed_methods import SeenAll


def check_front(spec: CampaignSpec, name: str) -> None:
    """Refuse what has no front of compromises, or limits it.

    Raises:
        NotSupportedError: If the campaign wants one number, or has outcome constraints.
    """
    if len(spec.objectives) < 2 or spec.combine != "pareto" or spec.outcome_constraints:
        raise NotSupportedError(
            f"{name} must have several objectives on a Pareto front, and no outcome constraints; {spec.name} "
            "wants something else.",
            "Leave it out of --methods.",
        )


@dataclass
class BaybeFront:
    """What BayBE recommends for several objectives; nothing is learned before."""

    name: str = "baybe"
    is_deterministic: bool = field(default=False, init=False)
    tables: PlainTables | None = field(default=None, init=False, repr=False)

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """Write the candidates as a table.

        Raises:
            ConfigurationError: If BayBE is not installed.
            NotSupportedError: If a parameter is a molecule, or there is no front.
        """
        check_front(context.spec, self.name)
        load_optional("baybe", PACKAGE, self.name)
        self.tables = plain_tables(context, self.name)

    def choose(self, context: BacktestContext, seen: SeenAll, n: int, seed: int) -> Choice:
        """Ask BayBE for the next candidates."""
        assert self.tables is not None, "prepare comes first"
        settings = load_optional("baybe.settings", PACKAGE, self.name).Settings
        objectives = load_optional("baybe.objectives", PACKAGE, self.name)
        target = load_optional("baybe.targets", PACKAGE, self.name).NumericalTarget
        names = [f"_score {k + 1}" for k in range(len(context.spec.objectives))]
        random_seed = seeds.derive(seed, "baybe front", seen.n) % 2**31
        with warnings.catch_warnings(), settings(random_seed=random_seed):
            warnings.simplefilter("ignore")  # of its own dependencies
            front = objectives.ParetoObjective([target(name) for name in names])
            campaign = baybe_campaign(self.tables, self.name, front)
            if seen.n:
                found = dict(zip(names, scores(context.spec, seen.outcomes).T, strict=True))
                measured = self.tables.candidates.iloc[list(seen.indices)].assign(**found)
                campaign.add_measurements(measured, numerical_measurements_must_be_within_tolerance=False)
            recommended = campaign.recommend(n)
        return Choice(indices=tuple(int(i) for i in recommended.index))
