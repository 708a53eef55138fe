"""What the store gives back, as frozen values; tables of many rows come as DataFrames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from discovery.campaign.changes import SpecChange
from discovery.lifecycle import ModelStatus

if TYPE_CHECKING:
    from discovery.belief.records import HypothesisPrediction


@dataclass(frozen=True)
class CampaignRow:
    """One version of a campaign; the latest where nothing else is said.

    Attributes:
        campaign: The spec's name, which is the campaign's id.
        version: Number of the spec's version, from 1.
        spec_hash: Hash of the spec.
        status: `ACTIVE` or `FINISHED`.
        reason: Why it has the status.
        objective: Name of the outcome that is optimized.
        goal: `maximize` or `minimize`.
        spec_json: The spec, for `CampaignSpec.from_json`.
        base_dir: Folder that the spec's relative paths start from.
        created_at: When the version was registered, UTC.
        changed_by: Who registered the version; empty where that was not recorded.
        changes: What differs from the version before; empty for the first.
        contents: The tables that shape the space, by key path, as they were (`campaign.changes.file_contents`).
    """

    campaign: str
    version: int
    spec_hash: str
    status: str
    reason: str
    objective: str
    goal: str
    spec_json: str
    base_dir: str
    created_at: datetime
    changed_by: str = ""
    changes: tuple[SpecChange, ...] = ()
    contents: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MeasurementRow:
    """One stored measurement, also one that no longer counts.

    Attributes:
        measurement_id: `<campaign>-m<position>`, with `-r<n>` for a correction.
        campaign: Whose it is.
        position: Place in the order of ingestion, from 1; a correction keeps it.
        key: Identity of its configuration.
        configuration: A value for every parameter that there was.
        outcomes: Every outcome that there was, raw units.
        sems: Standard errors of outcomes, where given.
        limits: Outcomes that are bounds: `<` where the true value is at most the outcome, `>` where at least.
        extra: Other columns of its source.
        proposal_id: The proposal that it answers, or None.
        trial_id: The trial that it came from, or None.
        is_retracted: Whether it says only that the one it supersedes does not count.
    """

    measurement_id: str
    campaign: str
    position: int
    key: str
    configuration: dict[str, Any]
    outcomes: dict[str, Any]
    sems: dict[str, Any]
    limits: dict[str, str]
    extra: dict[str, Any]
    proposal_id: str | None
    trial_id: str | None
    is_retracted: bool


@dataclass(frozen=True)
class IngestReport:
    """What one ingestion did.

    Attributes:
        n_added: Measurements that landed.
        n_duplicates: Rows that had landed before.
        n_rejected: Rows that were refused; their reasons are in `rejected_rows`.
        measurement_ids: Ids of the measurements that landed, in order.
        n_pending: Rows that are not measured yet.
        n_out_of_range: Rows that landed with an outcome outside its declared range.
        n_unproposed: Rows that landed and answer no approved proposal.
        n_controls: Rows that are controls and were read; they are no measurements.
        n_failed: Experiments whose rows say that they failed, or cannot succeed; said before, they do not count.
        n_completed: Measurements that lacked outcomes and have got them.
    """

    n_added: int
    n_duplicates: int
    n_rejected: int
    measurement_ids: tuple[str, ...]
    n_pending: int = 0
    n_out_of_range: int = 0
    n_unproposed: int = 0
    n_controls: int = 0
    n_failed: int = 0
    n_completed: int = 0


@dataclass(frozen=True)
class ProposalRow:
    """One stored proposal.

    Attributes:
        proposal_id: `<campaign>-c<cycle>-<position>`.
        campaign: Whose it is.
        cycle: Number of the cycle, from 1.
        position: Place in the batch, from 0.
        status: A `ProposalStatus`.
        configuration: A value for every parameter, as approved (the edited one after an edit), else as proposed.
        proposed: The configuration as proposed.
        key: Identity of `configuration`.
        X: Encoding of the proposed configuration. Length `d`; unit cube.
        row: Row position in the candidates file, or None.
        predictions: What every hypothesis said about the proposed configuration, raw units.
        mean: The belief's mean, raw units.
        sd: The belief's standard deviation, raw units.
        acqf_name: Acquisition function.
        acqf_value: Its value.
        argued_by: The hypothesis that argues most for it.
        argument: Share of every hypothesis in the acquisition value.
        is_exploring: Whether it was chosen to learn.
        n_measurements: Measurements seen when it was made.
        seed: Seed it can be replayed with.
        created_at: When it was stored, UTC.
        others: What every hypothesis said about each further outcome, raw units.
        numbers: What else spoke for or against it, by name.
        stage: The stage that it was proposed for; empty in a campaign without stages.
    """

    proposal_id: str
    campaign: str
    cycle: int
    position: int
    status: str
    configuration: dict[str, object]
    proposed: dict[str, object]
    key: str
    X: tuple[float, ...]
    row: int | None
    predictions: tuple[HypothesisPrediction, ...]
    mean: float
    sd: float
    acqf_name: str
    acqf_value: float
    argued_by: str
    argument: dict[str, float]
    is_exploring: bool
    n_measurements: int
    seed: int
    created_at: datetime
    others: Mapping[str, tuple[HypothesisPrediction, ...]] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    stage: str = ""


@dataclass(frozen=True)
class TrialRow:
    """One execution of a proposal.

    Attributes:
        trial_id: `<proposal_id>-t<attempt>`.
        proposal_id: The proposal that is carried out.
        campaign: Whose it is.
        attempt: 1, 2, ...: a retry is a new trial.
        idempotency_key: Handed to the laboratory, so that a restart does not run the experiment twice.
        adapter: The experiment's type.
        owner: Who holds the lease.
        lease_expires_at: When another may take over, UTC.
        status: A `TrialStatus`.
        outcomes: What the adapter reported, or None.
        extra: What else it reported, or None.
        error: Why it failed, or what a running one waits for; may be empty.
        external_id: What the laboratory calls it; empty where that is not known.
        started_at: When it was started, UTC.
        is_infeasible: Whether it was abandoned because the experiment cannot succeed.
    """

    trial_id: str
    proposal_id: str
    campaign: str
    attempt: int
    idempotency_key: str
    adapter: str
    owner: str
    lease_expires_at: datetime
    status: str
    outcomes: dict[str, float] | None
    extra: dict[str, object] | None
    error: str
    external_id: str
    started_at: datetime
    is_infeasible: bool = False


@dataclass(frozen=True)
class ModelVersion:
    """One checkpoint in the registry.

    Attributes:
        version_id: Id of the version.
        hypothesis: The hypothesis it belongs to.
        learner: Name of the learner that made it.
        path: Where the checkpoint lies.
        content_hash: Hash of the checkpoint's content.
        space_hash: Hash of the space it was made for.
        parent: The version that training continued from, or None.
        task_sources: Where its tasks came from: file names, `campaign:<name>`, `simulator:<name>`.
        scores: Held-out scores by name.
        status: A `ModelStatus`.
        campaign: The campaign it was made for, or empty where it serves every campaign of the space.
    """

    version_id: str
    hypothesis: str
    learner: str
    path: str
    content_hash: str
    space_hash: str
    parent: str | None = None
    task_sources: tuple[str, ...] = ()
    scores: dict[str, float] = field(default_factory=dict)
    status: str = ModelStatus.CANDIDATE
    campaign: str = ""


@dataclass(frozen=True)
class Lease:
    """A name that one owner holds until a moment.

    Attributes:
        name: What is held.
        owner: Who holds it.
        expires_at: When another may take it, UTC.
    """

    name: str
    owner: str
    expires_at: datetime
