"""Automations that tell a team what happened to its campaigns: made from `automations.yaml`, on the server in use.

They are known by their names: made a second time, they change what has changed, and nothing is told twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import yaml

from discovery.errors import InputError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events.schemas.automations import AutomationCore

FILE = Path(__file__).with_name("automations.yaml")
BLOCK_ID = "BLOCK_ID"
"""What stands in the file for the block that notifies."""
CREATED, UPDATED, REMOVED = "created", "updated", "removed"


@dataclass(frozen=True)
class Automated:
    """What became of one automation.

    Attributes:
        name: Its name.
        change: `created`, `updated` or `removed`.
        description: When it tells.
    """

    name: str
    change: str
    description: str


def notify(block: str) -> list[Automated]:
    """Make the automations, or change those that are there.

    Args:
        block: The notification block, as `type/name`.

    Raises:
        InputError: If there is no such block, or it cannot notify.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        block_id = _find_block(client, block)
        return [_make(client, one) for one in automations(block_id)]


def silence() -> list[Automated]:
    """Remove the automations."""
    from prefect.client.orchestration import get_client

    removed = []
    with get_client(sync_client=True) as client:
        for one in _read():
            for known in client.read_automations_by_name(one["name"]):
                client.delete_automation(known.id)
                removed.append(Automated(one["name"], REMOVED, one["description"]))
    return removed


def automations(block_id: UUID) -> list[AutomationCore]:
    """Return the automations of the file, with the block that notifies."""
    from prefect.events.schemas.automations import AutomationCore

    return [AutomationCore.model_validate(one) for one in _read(str(block_id))]


def _read(block_id: str = BLOCK_ID) -> list[dict[str, Any]]:
    content: dict[str, list[dict[str, Any]]] = yaml.safe_load(FILE.read_text().replace(BLOCK_ID, block_id))
    return content["automations"]


def _make(client: SyncPrefectClient, wanted: AutomationCore) -> Automated:
    """Create an automation, or change the one that has its name."""
    known = client.read_automations_by_name(wanted.name)
    if not known:
        client.create_automation(wanted)
        return Automated(wanted.name, CREATED, wanted.description)
    client.update_automation(known[0].id, wanted)
    return Automated(wanted.name, UPDATED, wanted.description)


def _find_block(client: SyncPrefectClient, block: str) -> UUID:
    """Return the id of a notification block."""
    answer = client.request(
        "POST",
        "/block_documents/filter",
        json={"block_schemas": {"block_capabilities": {"all_": ["notify"]}}, "include_secrets": False},
    )
    known = {f"{one['block_type']['slug']}/{one['name']}": one["id"] for one in answer.json()}
    if block not in known:
        raise InputError(
            f"The block must be one that notifies; got {block!r} at {client.api_url}.",
            f"Known: {', '.join(sorted(known))}."
            if known
            else "Add one on the page Blocks first: Slack, Microsoft Teams, e-mail or a web hook.",
        )
    return UUID(known[block])
