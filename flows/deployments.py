"""What Prefect is told of campaign files: which flows are deployed, when they run, with which parameters.

Everything here is worked out from the files alone; `flows.deploying` tells a server. Prefect is loaded when plans are
made, not when files are read: its settings are made first.

Per campaign there are `campaign/<name>` (scheduled, and woken when something happened) and `decide/<name>` (the review
form), per store there is `sweep/<stem of its file>` (what a wake-up missed).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from discovery.campaign import CampaignSpec, history_name, load_spec
from discovery.errors import ConfigurationError, counted
from discovery.store import Store
from flows.wake import CAMPAIGN, DECIDE, SWEEP, deployment_name

TAG = "discovery"
CANCEL_NEW, ENQUEUE = "CANCEL_NEW", "ENQUEUE"
"""What becomes of a run that is asked for while another one runs: it ends at once, or waits for its turn."""
GOES_ON = "Goes through cycles until experiments or people are awaited, or the campaign ends."
SCHEDULED = (
    "Proposes one cycle whenever its schedule says so. Runs in between carry out what was approved and take in what "
    "was measured; one with `cycles: 1` proposes at once."
)


@dataclass(frozen=True)
class CampaignFile:
    """A campaign file that is deployed.

    Attributes:
        path: The file, absolute.
        spec: What it says.
        store: The database, absolute.
    """

    path: Path
    spec: CampaignSpec
    store: Path

    @classmethod
    def read(cls, file: str | os.PathLike[str]) -> CampaignFile:
        """Read a campaign file.

        Raises:
            ConfigurationError: If the file is wrong.
        """
        path = Path(file).resolve()
        spec = load_spec(path)
        return cls(path, spec, Store.of(spec).path)


@dataclass(frozen=True)
class DeploymentPlan:
    """One deployment as it is wanted.

    Attributes:
        flow: Name of the flow: `campaign`, `decide` or `sweep`.
        name: Name of the deployment.
        parameters: What its runs are called with.
        description: For people, in Markdown.
        tags: What it can be found by.
        version: Identity of what it was made from; empty where it has none.
        cron: Cron line and time zone of its schedule, or None.
        every_s: Seconds between its runs, or None.
        collision: What becomes of a run that is asked for while another one runs.
        environment: Variables that a worker sets for its runs.
    """

    flow: str
    name: str
    parameters: Mapping[str, Any]
    description: str
    tags: tuple[str, ...] = ()
    version: str = ""
    cron: tuple[str, str] | None = None
    every_s: float | None = None
    collision: str = CANCEL_NEW
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """The name that Prefect knows it by."""
        return f"{self.flow}/{self.name}"

    @property
    def entrypoint(self) -> str:
        """Where the flow is imported from: a module, so that it is found wherever the package is installed."""
        return f"flows.{self.flow}.{self.flow}"

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of the flow's parameters, which the form of the pages is made of.

        The campaign file is as deployed: a run of one campaign cannot be made one of another file. A name that is no
        parameter is refused, as everything else that the flow would not take.
        """
        from prefect.utilities.callables import parameter_schema

        flow = getattr(import_module(f"flows.{self.flow}"), self.flow)
        found: dict[str, Any] = parameter_schema(flow).model_dump(exclude_unset=True)
        found["additionalProperties"] = False
        if "file" in self.parameters:
            found["properties"]["file"] |= {"readOnly": True, "enum": [self.parameters["file"]]}
        return found


def read_campaigns(files: Iterable[str | os.PathLike[str]]) -> list[CampaignFile]:
    """Read campaign files that are deployed together.

    Raises:
        ConfigurationError: If a file is wrong, or two of them would get the same deployment.
    """
    found: dict[str, CampaignFile] = {}
    for file in files:
        one = CampaignFile.read(file)
        name = deployment_name(one.spec.name)
        other = found.get(name)
        if other is not None and other.path != one.path:
            raise ConfigurationError(
                f"Campaigns that are deployed must have different names; got {one.spec.name!r} in {other.path} and in "
                f"{one.path}.",
                "Rename one.",
            )
        found[name] = one
    return list(found.values())


def campaign_plans(one: CampaignFile, ui_url: str = "") -> list[DeploymentPlan]:
    """Plan the deployments of a campaign.

    Args:
        one: The campaign file.
        ui_url: Where the pages are, for links; empty where that is not known.

    Raises:
        ConfigurationError: If no server would take the schedule.
    """
    _check_cron(one)
    spec, name = one.spec, deployment_name(one.spec.name)
    tags = tuple(dict.fromkeys(tag for tag in (TAG, spec.name, spec.objective.name, spec.team) if tag))
    text, environment = describe(one, ui_url), _environment([one])
    shared: dict[str, Any] = {"tags": tags, "version": spec.spec_hash, "environment": environment}
    return [
        DeploymentPlan(
            CAMPAIGN,
            name,
            {"file": str(one.path), **({"cycles": 0} if spec.schedule else {})},
            f"{SCHEDULED if spec.schedule else GOES_ON}\n\n{text}",
            cron=(spec.schedule.cron, spec.schedule.timezone) if spec.schedule else None,
            **shared,
        ),
        DeploymentPlan(
            DECIDE,
            name,
            {"file": str(one.path)},
            f"Asks people about the proposals that wait, in a form.\n\n{text}",
            collision=ENQUEUE,
            **shared,
        ),
    ]


def sweep_plan(store: Path, campaigns: Sequence[CampaignFile], every_s: float) -> DeploymentPlan:
    """Plan the sweep of a store: it looks after every campaign that is deployed from it.

    Args:
        store: The database.
        campaigns: Campaigns in it.
        every_s: Seconds between two sweeps.
    """
    return DeploymentPlan(
        SWEEP,
        store.stem,
        {"files": [str(one.path) for one in campaigns]},
        f"Takes up what a wake-up missed: results and decisions that nobody has acted on, runs that were cut off.\n\n"
        f"- **Store**: `{store}`",
        tags=(TAG,),
        every_s=every_s,
        environment=_environment(campaigns),
    )


def describe(one: CampaignFile, ui_url: str = "") -> str:
    """Describe a campaign in Markdown.

    Args:
        one: The campaign file.
        ui_url: Where the pages are, for links; empty where that is not known.
    """
    spec = one.spec
    facts = {
        "Goal": _goal(spec),
        "Budget": _budget(spec),
        "Learns from": _experience(spec),
        "Review": _review(spec),
        "Experiments": _laboratory(spec),
        "File": f"`{one.path}`",
        "Store": f"`{one.store}`",
    }
    lines = [f"- **{name}**: {fact}" for name, fact in facts.items()]
    return "\n".join([*lines, "", _links(spec.name, ui_url)]).strip()


def _goal(spec: CampaignSpec) -> str:
    from discovery.report.compromises import goal_text

    return goal_text(spec) + (f"; ends at {spec.stop.target:g}" if spec.stop.target is not None else "")


def _budget(spec: CampaignSpec) -> str:
    text = f"{counted(spec.budget.experiments, 'experiment')}, {spec.acquisition.batch_size} per cycle"
    return text + (f", the first {spec.budget.initial} at random" if spec.budget.initial else "")


def _experience(spec: CampaignSpec) -> str:
    simulators = [f"simulator {ref.name}" for ref in spec.experience.simulators]
    return ", ".join([*simulators, *map(history_name, spec.experience.history)]) or "no simulator and no earlier task"


def _review(spec: CampaignSpec) -> str:
    if spec.review.mode == "auto":
        return "proposals are approved by themselves"
    return "people decide" + (f" within {spec.review.timeout}" if spec.review.timeout else "")


def _laboratory(spec: CampaignSpec) -> str:
    if spec.experiment is None:
        return "results are handed in with `discovery ingest`"
    return f"by `{spec.experiment.type}`" + (f"; results also from the inbox `{spec.inbox}`" if spec.inbox else "")


def _links(campaign: str, ui_url: str) -> str:
    if not ui_url:
        return ""
    from flows.artifacts import artifact_key

    shown = {"Proposals": "proposals", "Cycles": "cycles"}
    links = [f"[{text}]({ui_url}/artifacts/key/{artifact_key(campaign, key)})" for text, key in shown.items()]
    return " · ".join([*links, f"[All runs]({ui_url}/runs)"])


def _environment(campaigns: Sequence[CampaignFile]) -> dict[str, str]:
    """Return what a worker has to set so that it finds the same store as this command does."""
    named = os.environ.get("DISCOVERY_STORE") and [one for one in campaigns if not one.spec.store]
    return {"DISCOVERY_STORE": str(named[0].store)} if named else {}


def _check_cron(one: CampaignFile) -> None:
    """Refuse a cron line that no server would take.

    Raises:
        ConfigurationError: If a field of it is out of range.
    """
    if one.spec.schedule is None:
        return
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=one.spec.schedule.cron, timezone=one.spec.schedule.timezone)
    except ValueError:
        raise ConfigurationError(
            f"schedule must be a cron line whose fields are in range, such as '0 6 * * 1-5'; got "
            f"{one.spec.schedule.cron!r} in {one.path}."
        ) from None
