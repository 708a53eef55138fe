"""Does the experience fit this task? The alarm against it, in words: what, since when, what happens, what may be done.

Read off the ledger, which holds where the belief stood in every cycle. Next in the tour: `discovery.report`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING

import pandas as pd

from discovery.campaign import history_name

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec

ALARM = 20.0  # e-value of the alarm: reached in at most one task out of twenty that the experience fits (Ville)
NO_TRANSFER, SIMULATOR = "no_transfer", "simulator:"
FROM_HISTORY = ("history", "deep_kernel")  # hypotheses that learn from `experience.history`


@dataclass(frozen=True)
class ExperienceFit:
    """What the ledger says about the experience.

    Attributes:
        e_value: How many times better the hypothesis without experience has predicted all measurements.
        n_measurements: Measurements that it is based on.
        alarm_since: Number of measurements when the alarm was raised that stands now, or that stood last; None where
            there was none.
        no_transfer: Share of the search that the hypothesis without experience holds.
        misfits: Hypotheses that have predicted 20 times worse than it, worst first.
        sources: What those have learned from, in words.
    """

    e_value: float
    n_measurements: int
    alarm_since: int | None
    no_transfer: float
    misfits: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def is_alarm(self) -> bool:
        """Whether the alarm stands."""
        return self.e_value >= ALARM


def judge_experience(evidence: pd.DataFrame, spec: CampaignSpec) -> ExperienceFit | None:
    """Read off the ledger whether experience fits.

    Args:
        evidence: Rows of the ledger (`Store.evidence`).
        spec: The campaign.

    Returns:
        The verdict; None where no hypothesis has experience, or nothing was recorded yet.
    """
    if evidence.empty or evidence["hypothesis"].nunique() < 2 or NO_TRANSFER not in set(evidence["hypothesis"]):
        return None
    over_time = evidence.groupby("cycle")[["e_value", "n_measurements"]].max()
    last = evidence[evidence["cycle"] == evidence["cycle"].max()].set_index("hypothesis")
    lead = last.loc[NO_TRANSFER, "log_evidence"] - last["log_evidence"].drop(NO_TRANSFER)
    misfits = tuple(str(name) for name in lead[lead.map(_ratio) >= ALARM].sort_values(ascending=False).index)
    return ExperienceFit(
        e_value=float(last["e_value"].max()),
        n_measurements=int(last["n_measurements"].max()),
        alarm_since=_raised_at(over_time),
        no_transfer=float(last.loc[NO_TRANSFER, "weight"]),
        misfits=misfits,
        sources=tuple(dict.fromkeys(_source(name, spec) for name in misfits)),
    )


def experience_sentences(fit: ExperienceFit, outcome: str = "") -> tuple[str, ...]:
    """Say whether experience fits; where it does not, also which, what the pipeline does and what the team may do.

    Args:
        fit: The verdict.
        outcome: The outcome that it is about, named where a campaign has several; else empty.
    """
    first, *others = _sentences(fit)
    return (f"About {outcome}: {first[0].lower()}{first[1:]}" if outcome else first, *others)


def _sentences(fit: ExperienceFit) -> tuple[str, ...]:
    if not fit.is_alarm and fit.alarm_since is None:
        said = f"e-value {fit.e_value:.2g} after {fit.n_measurements} measurements; alarm at 20"
        return (f"Nothing speaks against the experience ({said}).",)
    if not fit.is_alarm:
        return (
            f"The alarm that the experience does not fit, raised when {fit.alarm_since} were measured, stands no more: "
            f"after {fit.n_measurements} measurements the e-value is {fit.e_value:.2g} (alarm at 20).",
        )
    which = f" What does not fit: {_join(fit.sources)}." if fit.sources else ""
    return (
        f"The experience does not fit this task: without it the {fit.n_measurements} measurements were predicted "
        f"{_times(fit.e_value)} better (e-value; alarm at 20, raised when {fit.alarm_since} were measured).{which}",
        f"What happens: no_transfer, which knows nothing of the experience, holds {100 * fit.no_transfer:.0f} % of the "
        "search; what misled keeps a small share and is heard again if later measurements speak for it.",
        "What you may do: nothing, and the campaign goes on as one without experience; or check that units, columns "
        "and outcome mean the same there as here; or take it out of `experience` in the campaign file.",
    )


def _raised_at(over_time: pd.DataFrame) -> int | None:
    """Return the number of measurements at the beginning of the last stretch of cycles with the alarm."""
    is_raised = over_time["e_value"] >= ALARM
    begins = over_time.index[is_raised & ~is_raised.shift(fill_value=False)]
    return int(over_time.loc[begins[-1], "n_measurements"]) if len(begins) else None


def _source(hypothesis: str, spec: CampaignSpec) -> str:
    """Name what a hypothesis has learned from."""
    if hypothesis.startswith(SIMULATOR):
        return f"the simulator {hypothesis.removeprefix(SIMULATOR)}"
    if hypothesis in FROM_HISTORY:
        return f"the history ({', '.join(map(history_name, spec.experience.history))})"
    return f"the hypothesis {hypothesis}"


def _ratio(log_lead: float) -> float:
    return exp(min(float(log_lead), 700.0))


def _times(ratio: float) -> str:
    return f"{ratio:.3g} times" if ratio < 1e6 else "more than a million times"


def _join(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
