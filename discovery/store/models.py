"""The model registry: which checkpoints exist, what they were trained on, and which one is in use.

At most one version is promoted for a hypothesis on a space (and a campaign, where it was made for one). A campaign
never uses a version whose tasks contain the campaign itself.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from discovery.errors import InputError
from discovery.lifecycle import NEW, ModelStatus, check_transition
from discovery.store.base import StorePart
from discovery.store.codec import to_json
from discovery.store.records import ModelVersion

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = """version_id, hypothesis, learner, path, content_hash, space_hash, parent, task_sources, scores, status,
              campaign"""
_INSERT = f"""
INSERT INTO model_versions ({_COLUMNS}, created_at)
VALUES ($version_id, $hypothesis, $learner, $path, $content_hash, $space_hash, $parent, $task_sources, $scores, $status,
        $campaign, now())
"""
_IN_USE = f"""
SELECT {_COLUMNS} FROM model_versions
WHERE hypothesis = $hypothesis AND space_hash = $space_hash AND campaign = $campaign AND promoted_at IS NOT NULL
  AND NOT list_contains(from_json(task_sources, '["VARCHAR"]'), $excluding)
ORDER BY status = $promoted DESC, promoted_at DESC LIMIT 1
"""


class Models(StorePart):
    """Model versions in the store."""

    def register_model(self, version: ModelVersion) -> ModelVersion:
        """Store a new version as a candidate, or promote it at once where its status says so.

        Raises:
            InputError: If another version has the id; the same one again changes nothing.
            StatusError: If its status is neither `CANDIDATE` nor `PROMOTED`.
        """
        check_transition("model", NEW, ModelStatus.CANDIDATE, version.version_id)
        if version.status != ModelStatus.CANDIDATE:
            check_transition("model", ModelStatus.CANDIDATE, version.status, version.version_id)
        values = {
            **asdict(version),
            "task_sources": to_json(version.task_sources),
            "scores": to_json(version.scores),
            "status": str(ModelStatus.CANDIDATE),
        }
        with self.database.transaction() as connection:
            stored = self._model(version.version_id)
            if stored is not None and stored.content_hash != version.content_hash:
                raise InputError(
                    f"Model version {version.version_id} must be registered once; got content {version.content_hash} "
                    f"beside {stored.content_hash}.",
                    "Give the new version another id.",
                )
            if stored is None:
                connection.execute(_INSERT, values)
                if version.status == ModelStatus.PROMOTED:
                    self.promote(version.version_id)
                elif version.status == ModelStatus.REJECTED:
                    self.reject_model(version.version_id)
            return self.model(version.version_id)

    def model(self, version_id: str) -> ModelVersion:
        """Return one version.

        Raises:
            InputError: If there is no such version.
        """
        version = self._model(version_id)
        if version is None:
            raise InputError(f"Model version must exist in {self.database.path}; got {version_id!r}.")
        return version

    def promote(self, version_id: str) -> ModelVersion:
        """Put a version to use; the one used before for the same hypothesis, space and campaign is archived.

        Raises:
            InputError: If there is no such version.
            StatusError: If the version was rejected or is in use already.
        """
        with self.database.transaction() as connection:
            version = self.model(version_id)
            check_transition("model", version.status, ModelStatus.PROMOTED, version_id)
            connection.execute(
                """UPDATE model_versions SET status = $archived WHERE status = $promoted AND hypothesis = $hypothesis
                   AND space_hash = $space_hash AND campaign = $campaign""",
                {
                    "archived": str(ModelStatus.ARCHIVED),
                    "promoted": str(ModelStatus.PROMOTED),
                    "hypothesis": version.hypothesis,
                    "space_hash": version.space_hash,
                    "campaign": version.campaign,
                },
            )
            connection.execute(
                "UPDATE model_versions SET status = $promoted, promoted_at = now() WHERE version_id = $version_id",
                {"promoted": str(ModelStatus.PROMOTED), "version_id": version_id},
            )
            return self.model(version_id)

    def reject_model(self, version_id: str) -> ModelVersion:
        """Keep a candidate out of use for good.

        Raises:
            InputError: If there is no such version.
            StatusError: If it is no candidate any more.
        """
        with self.database.transaction() as connection:
            check_transition("model", self.model(version_id).status, ModelStatus.REJECTED, version_id)
            connection.execute(
                "UPDATE model_versions SET status = $rejected WHERE version_id = $version_id",
                {"rejected": str(ModelStatus.REJECTED), "version_id": version_id},
            )
            return self.model(version_id)

    def promoted(
        self, hypothesis: str, space_hash: str, campaign: str = "", excluding: str = ""
    ) -> ModelVersion | None:
        """Return the version in use, or None.

        Args:
            hypothesis: Name of the hypothesis.
            space_hash: The space's `schema_hash`.
            campaign: The campaign it was made for; empty for one that serves all.
            excluding: A task source that it must not have been trained on (`campaign:<name>`); the latest version that
                was ever promoted without it is returned then.
        """
        row = self._one(
            _IN_USE,
            hypothesis=hypothesis,
            space_hash=space_hash,
            campaign=campaign,
            excluding=excluding,
            promoted=str(ModelStatus.PROMOTED),
        )
        return None if row is None else _decode(row)

    def models(self) -> pd.DataFrame:
        """Return all versions in the order registered; `task_sources` and `scores` are JSON."""
        return self._frame(
            f"SELECT {_COLUMNS}, created_at, promoted_at FROM model_versions ORDER BY created_at, version_id"
        )

    def _model(self, version_id: str) -> ModelVersion | None:
        row = self._one(f"SELECT {_COLUMNS} FROM model_versions WHERE version_id = $version_id", version_id=version_id)
        return None if row is None else _decode(row)


def _decode(row: dict[str, Any]) -> ModelVersion:
    sources, scores = json.loads(row.pop("task_sources")), json.loads(row.pop("scores"))
    return ModelVersion(**row, task_sources=tuple(sources), scores=scores)
