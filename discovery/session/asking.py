"""From a plan to proposals: what a cycle is asked, written down so that any proposal can be computed again.

A plan holds everything that goes into a cycle beside measurements and checkpoints; it is stored with the proposals.
Next in the tour: `discovery.cycle`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from discovery.session.batches import carry_out_plan
from discovery.session.proposals import ProposalBook, is_representable
from discovery.space.today import Today

if TYPE_CHECKING:
    from discovery.aimed_cycle import Arena, Results
    from discovery.belief.belief import Hypothesis
    from discovery.campaign import CampaignSpec
    from discovery.cycle import CycleRequest, CycleResult, Observations, ProposalDraft
    from discovery.space import CandidatePool, SearchSpace
    from discovery.space.stream import StreamedPool

    Pool = CandidatePool | StreamedPool

_STAGED = ("pending_stages", "excluded_stages")


@dataclass(frozen=True)
class AskPlan:
    """What one cycle is asked.

    Attributes:
        n: Number of proposals wanted.
        n_random: How many of them are random starts.
        cycle: Number of the cycle, from 1.
        n_measurements: Measurements seen.
        seed: The campaign's seed.
        goal: `maximize` or `minimize`.
        acquisition: Name of the acquisition function.
        allow_replicates: Whether a measured configuration may come again.
        pending_X: Encoded configurations under way, one tuple each.
        excluded_keys: Configurations that may not be proposed.
        spec_hash: The campaign file as it was.
        seen: Positions of the measurements that counted, by outcome, where several outcomes have to be foreseen.
        lost: Proposals whose experiments were infeasible.
        given: Value by parameter that was given, and not chosen.
        without: Values and ranges by parameter that were not to be had.
        shared: Parameters that have one value in all proposals.
        changeover: What it costs to change a parameter from one experiment to the next.
        is_plain: Whether the most, or the least, of one outcome is wanted.
        context: Parameters that are always given.
        pending_stages: Stage of each configuration under way; empty without stages.
        excluded_stages: Stage at which each of `excluded_keys` may not be proposed, empty for every one; none without
            stages.
        cost_left: What experiments at stages may cost; None where that is not limited.
    """

    n: int
    n_random: int
    cycle: int
    n_measurements: int
    seed: int
    goal: str
    acquisition: str
    allow_replicates: bool
    pending_X: tuple[tuple[float, ...], ...]
    excluded_keys: tuple[str, ...]
    spec_hash: str
    seen: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict)
    without: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    changeover: Mapping[str, float] = field(default_factory=dict)
    is_plain: bool = True
    context: tuple[str, ...] = ()
    pending_stages: tuple[str, ...] = ()
    excluded_stages: tuple[str, ...] = ()
    cost_left: float | None = None

    @classmethod
    def make(cls, spec: CampaignSpec, space: SearchSpace, book: ProposalBook, n_seen: int, n: int) -> AskPlan:
        """Plan the next cycle of a campaign.

        Args:
            spec: The campaign.
            space: Its space.
            book: Its proposals.
            n_seen: Number of its measurements, for random starts.
            n: Number of proposals wanted.
        """
        under_way = book.open[is_representable(space, book.open)]
        return cls(
            n=n,
            n_random=min(n, max(0, spec.budget.initial - n_seen - book.n_open)),
            cycle=book.last_cycle + 1,
            n_measurements=n_seen,
            seed=spec.seed,
            goal=str(spec.objective.goal),
            acquisition=spec.acquisition.name,
            allow_replicates=spec.acquisition.allow_replicates,
            pending_X=tuple(tuple(row) for row in space.encode(under_way).tolist()),
            excluded_keys=book.excluded_keys,
            spec_hash=spec.spec_hash,
            shared=tuple(spec.shared_names),
            changeover=dict(spec.acquisition.changeover),
            is_plain=spec.is_plain,
            context=tuple(spec.context_names),
        )

    @property
    def today(self) -> Today:
        """What was given, and what was not to be had."""
        return Today.from_plan(self.given, self.without)

    def to_detail(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return asdict(self)

    @classmethod
    def from_detail(cls, text: str) -> AskPlan:
        """Read a plan that was stored."""
        stored: dict[str, Any] = json.loads(text)
        stored["pending_X"] = tuple(tuple(map(float, row)) for row in stored["pending_X"])
        stored["excluded_keys"] = tuple(stored["excluded_keys"])
        stored["seen"] = {name: tuple(positions) for name, positions in stored.get("seen", {}).items()}
        stored["lost"] = tuple(stored.get("lost", ()))
        stored |= {name: tuple(stored.get(name, ())) for name in ("shared", "context", *_STAGED)}
        return cls(**stored)

    def request(self, n: int, also: Sequence[ProposalDraft] = ()) -> CycleRequest:
        """Return the request of a cycle for `n` proposals, beside others that were chosen already."""
        from discovery.cycle import CycleRequest

        pending = [*self.pending_X, *(draft.X for draft in also)]
        return CycleRequest(
            n=n,
            goal=self.goal,
            acquisition=self.acquisition,
            seed=self.seed,
            cycle=self.cycle,
            pending_X=np.array(pending) if pending else None,
            pending_keys=(*self.excluded_keys, *(draft.key for draft in also)),
            allow_replicates=self.allow_replicates,
        )


def propose(
    plan: AskPlan,
    space: SearchSpace,
    pool: Pool | None,
    hypotheses: Sequence[Hypothesis],
    observed: Observations,
) -> CycleResult:
    """Carry out a plan for one outcome: random starts first where some are left, then what the belief wants.

    The same arguments give the same drafts; nothing is read or stored.

    Raises:
        NoCandidateError: If nothing is left to propose.
    """
    from discovery.cycle import run_cycle

    def run(part: SearchSpace, candidates: Pool | None, request: CycleRequest) -> CycleResult:
        return run_cycle(part, candidates, hypotheses, observed, request)

    return carry_out_plan(plan, space, pool, observed, run)


def propose_aimed(plan: AskPlan, arena: Arena, results: Results) -> CycleResult:
    """Carry out a plan for several outcomes, or for another goal than the most or the least, as `propose` does.

    Raises:
        NoCandidateError: If nothing is left to propose.
    """
    from discovery.aimed_cycle import run_aimed_cycle

    def run(part: SearchSpace, candidates: Pool | None, request: CycleRequest) -> CycleResult:
        return run_aimed_cycle(replace(arena, space=part, pool=candidates), results, request)

    return carry_out_plan(plan, arena.space, arena.pool, results, run)


def gain_of(
    hypotheses: Sequence[Hypothesis], observed: Observations, drafts: Sequence[ProposalDraft], request: CycleRequest
) -> float | None:
    """Return the expected gain of drafts per experiment, raw units, beyond what runs already; None if nothing is known.

    Args:
        hypotheses: The competing hypotheses.
        observed: What has been measured.
        drafts: What is to be proposed.
        request: What the cycle was asked.
    """
    import torch

    from discovery.cycle import adapt
    from discovery.evaluation.gain import expected_gain

    belief = adapt(hypotheses, observed)

    def on_device(rows: object) -> torch.Tensor:
        return torch.as_tensor(np.array(rows), dtype=torch.float64, device=belief.steps.device)

    X = on_device([draft.X for draft in drafts])
    running = None if request.pending_X is None else on_device(request.pending_X)
    sign = -1.0 if request.goal == "minimize" else 1.0
    gain = expected_gain(belief, X, sign=sign, X_running=running, seed=request.seed)
    return None if gain is None else gain / len(drafts)


def differences(stored: Mapping[str, Any], recomputed: Mapping[str, Any]) -> tuple[str, ...]:
    """Compare two proposals by name; numbers are equal within one part in a million.

    Example:
        >>> differences({"mean": 1.0, "key": "a"}, {"mean": 1.0 + 1e-9, "key": "b"})
        ('key: stored a, recomputed b',)
    """
    return tuple(
        f"{name}: stored {value}, recomputed {recomputed[name]}"
        for name, value in stored.items()
        if not _is_same(value, recomputed[name])
    )


def _is_same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return bool(np.isclose(a, b, rtol=1e-6, atol=1e-9))
    return bool(a == b)
