"""What a server keeps of a planned deployment, and what of it is not as planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flows.deployments import DeploymentPlan

if TYPE_CHECKING:
    from prefect.client.schemas.responses import DeploymentResponse


def differences(plan: DeploymentPlan, found: DeploymentResponse, pool: str | None) -> dict[str, Any]:
    """Return what has to change so that a deployment is as planned; empty where it is.

    Args:
        plan: How it is wanted.
        found: How it is.
        pool: Work pool that is wanted; empty for none; None where it may be any.
    """
    limit = found.global_concurrency_limit
    wanted = content(plan)
    present = {
        "tags": sorted(found.tags),
        "concurrency_limit": limit.limit if limit else None,
        "concurrency_options": {"collision_strategy": _strategy(found.concurrency_options)},
        "pull_steps": found.pull_steps or [],
        "path": found.path or None,
    }
    present |= {name: getattr(found, name) for name in wanted.keys() - present.keys()}
    change = {name: value for name, value in wanted.items() if present[name] != value}
    if _kept(found) != _schedule(plan):
        change["schedules"] = schedules_of(plan)
    if pool is not None and (found.work_pool_name or "") != pool:
        change["work_pool_name"] = pool or None
    if "parameters" in change or "parameter_openapi_schema" in change:  # checked against each other by the server
        change |= {name: wanted[name] for name in ("parameters", "parameter_openapi_schema")}
    return change


def content(plan: DeploymentPlan) -> dict[str, Any]:
    """Return what a server keeps of a plan, beside schedule and pool."""
    schema = plan.schema()
    defaults = {name: each["default"] for name, each in schema.get("properties", {}).items() if "default" in each}
    return {
        "version": plan.version or None,
        "description": plan.description,
        "tags": sorted(plan.tags),
        "parameters": {**defaults, **plan.parameters},
        "parameter_openapi_schema": schema,
        "enforce_parameter_schema": True,
        "entrypoint": plan.entrypoint,
        "path": None,
        "pull_steps": [],
        "job_variables": {"env": dict(plan.environment)} if plan.environment else {},
        "concurrency_limit": 1,
        "concurrency_options": {"collision_strategy": plan.collision},
    }


def _schedule(plan: DeploymentPlan) -> tuple[object, ...] | None:
    """Return what tells a plan's schedule from another; None where there is none."""
    return plan.cron or (None if plan.every_s is None else (plan.every_s,))


def interval_s(found: DeploymentResponse) -> float | None:
    """Return the seconds between the runs of a deployment; None where it has no interval."""
    kept = _kept(found)
    return float(kept[0]) if kept and isinstance(kept[0], float) else None


def _kept(found: DeploymentResponse) -> tuple[object, ...] | None:
    """Return the same of a deployment; several schedules are like no plan's."""
    told: list[tuple[object, ...]] = []
    for one in found.schedules:
        schedule = one.schedule
        if hasattr(schedule, "cron"):
            told.append((schedule.cron, schedule.timezone or "UTC"))
        elif hasattr(schedule, "interval"):
            told.append((schedule.interval.total_seconds(),))
        else:
            told.append(("other",))
    return told[0] if len(told) == 1 else tuple(told) or None


def schedules_of(plan: DeploymentPlan) -> list[dict[str, Any]]:
    """Return Prefect's schedule of a plan; empty where it has none."""
    from prefect.client.schemas.schedules import construct_schedule

    if plan.cron is not None:
        made = construct_schedule(cron=plan.cron[0], timezone=plan.cron[1])
    elif plan.every_s is not None:
        made = construct_schedule(interval=plan.every_s)
    else:
        return []
    return [{"schedule": made, "active": True}]


def _strategy(options: Any) -> str | None:
    """Return the collision strategy of what the server keeps."""
    strategy = getattr(options, "collision_strategy", None)
    return None if strategy is None else str(getattr(strategy, "value", strategy))
