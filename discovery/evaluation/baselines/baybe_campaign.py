"""BayBE with its defaults: a campaign over the candidates, or with its task parameter over earlier tasks as well.

Written for BayBE 0.15. Levels are one-hot, those with descriptors a custom parameter. BayBE starts at random, then
fits its Gaussian process and takes its Monte Carlo expected improvement over the candidates.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from discovery import seeds
from discovery.evaluation.baselines.optional import load_optional
from discovery.evaluation.baselines.parameters import PlainTables, plain_tables
from discovery.evaluation.methods import BacktestContext, Choice, Progress, Seen

PACKAGE = "baybe"
TASK, OUTCOME, THIS = "_task", "_outcome", "this campaign"
MOST_TASKS, MOST_ROWS = 4, 60  # with fourteen tasks a proposal costs more than a minute, whatever their rows


@dataclass
class BaybeMethod:
    """What BayBE recommends; by the name `baybe_transfer` it is handed four earlier tasks, sixty rows in all.

    Which four, and which rows, is drawn by chance. Without history `baybe_transfer` is `baybe`.
    """

    name: str = "baybe"
    is_deterministic: bool = field(default=False, init=False)
    tables: PlainTables | None = field(default=None, init=False, repr=False)

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """Write candidates and history as tables; nothing is learned before the campaign.

        Raises:
            ConfigurationError: If BayBE is not installed.
            NotSupportedError: If a parameter is a molecule.
        """
        load_optional("baybe", PACKAGE, self.name)
        tasks = context.load_history() if self.name == "baybe_transfer" else ()
        drawn = seeds.rng(0, "baybe tasks", context.spec.name).permutation(len(tasks))[:MOST_TASKS]
        self.tables = plain_tables(context, self.name, tuple(tasks[i] for i in sorted(drawn)))

    def choose(self, context: BacktestContext, seen: Seen, n: int, seed: int) -> Choice:
        """Ask BayBE for the next candidates."""
        assert self.tables is not None, "prepare comes first"
        settings = load_optional("baybe.settings", PACKAGE, self.name).Settings
        random_seed = seeds.derive(seed, self.name, seen.n) % 2**31
        with warnings.catch_warnings(), settings(random_seed=random_seed):
            warnings.simplefilter("ignore")  # of its own dependencies
            campaign = baybe_campaign(self.tables, self.name, self._objective(context.goal == "minimize"))
            measured = _measurements(self.tables, seen, seed)
            if len(measured):
                campaign.add_measurements(measured, numerical_measurements_must_be_within_tolerance=False)
            recommended = campaign.recommend(n)
        return Choice(indices=tuple(int(i) for i in recommended.index))

    def _objective(self, is_minimized: bool) -> Any:
        objectives = load_optional("baybe.objectives", PACKAGE, self.name)
        target = load_optional("baybe.targets", PACKAGE, self.name).NumericalTarget(OUTCOME, minimize=is_minimized)
        return objectives.SingleTargetObjective(target)


def baybe_campaign(tables: PlainTables, method: str, objective: Any) -> Any:
    """Make a BayBE campaign with an objective of BayBE's, in which nothing is measured."""
    baybe = load_optional("baybe", PACKAGE, method)
    spaces = load_optional("baybe.searchspace", PACKAGE, method)
    candidates = tables.candidates.assign(**{TASK: THIS}) if tables.history else tables.candidates
    space = spaces.SearchSpace.from_dataframe(candidates, _parameters(tables, method))
    return baybe.Campaign(space, objective, allow_recommending_already_measured=False)


def _parameters(tables: PlainTables, method: str) -> list[Any]:
    """Describe the parameters to BayBE."""
    kinds = load_optional("baybe.parameters", PACKAGE, method)
    made: list[Any] = []
    for name in tables.names:
        if tables.is_number(name):
            every = pd.concat([tables.candidates[name], *(table[name] for table in tables.history.values())])
            made.append(kinds.NumericalDiscreteParameter(name, np.unique(every)))
        elif name in tables.descriptors:
            made.append(kinds.CustomDiscreteParameter(name, tables.descriptors[name]))
        else:
            made.append(kinds.CategoricalParameter(name, tables.levels[name], encoding="OHE"))
    if tables.history:
        made.append(kinds.TaskParameter(TASK, [THIS, *tables.history], active_values=[THIS]))
    return made


def _measurements(tables: PlainTables, seen: Seen, seed: int) -> pd.DataFrame:
    """Return what was measured in this campaign, and a share of each earlier task's rows."""
    own = tables.candidates.iloc[list(seen.indices)].assign(**{OUTCOME: np.asarray(seen.outcomes)})
    if not tables.history:
        return own
    share = MOST_ROWS // len(tables.history)
    earlier = []
    for name, table in tables.history.items():
        rows = seeds.rng(seed, "baybe history", name).permutation(len(table))[:share]
        earlier.append(table.iloc[rows].assign(**{TASK: name}).assign(**{OUTCOME: tables.outcomes[name][rows]}))
    return pd.concat([own.assign(**{TASK: THIS}), *earlier], ignore_index=True)
