"""Checkpoints: safetensors for the numbers, JSON for what they mean; no pickle anywhere.

A checkpoint knows the space it was trained for (schema hash), the tasks it has seen, its seed, its parent and its
held-out scores. Loading it for another space, or as another family, is refused with one sentence.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from discovery.errors import CheckpointError

FORMAT = 1


@dataclass(frozen=True)
class CheckpointMeta:
    """What a checkpoint's numbers mean.

    Attributes:
        learner: Name of the family that made it.
        hypothesis: The hypothesis it serves.
        space_hash: Schema hash of the space.
        seed: Seed of meta-training.
        task_sources: Where its tasks came from: file names, `campaign:<name>`, `simulator:<name>`.
        parent: Checkpoint id it was continued from, or empty.
        scores: Held-out scores by name.
        details: Settings of the family.
        format: Version of this format.
    """

    learner: str
    hypothesis: str
    space_hash: str
    seed: int
    task_sources: tuple[str, ...] = ()
    parent: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT


@dataclass(frozen=True)
class Checkpoint:
    """Numbers and their meaning."""

    meta: CheckpointMeta
    tensors: dict[str, Tensor]

    @property
    def checkpoint_id(self) -> str:
        """Identity by content: hypothesis and the first digits of a hash over numbers and meaning (scores left out)."""
        described = asdict(self.meta)
        del described["scores"]
        digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
        for name in sorted(self.tensors):
            digest.update(name.encode())
            digest.update(self.tensors[name].detach().cpu().contiguous().numpy().tobytes())
        return f"{self.meta.hypothesis.replace(':', '-')}-{digest.hexdigest()[:12]}"


def save(checkpoint: Checkpoint, folder: Path | str) -> Path:
    """Write a checkpoint as `<id>.safetensors` and `<id>.json`; the JSON file last, so that it marks completeness.

    Returns:
        Path of the JSON file.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    name = checkpoint.checkpoint_id
    tensors = {key: value.detach().cpu().contiguous().clone() for key, value in checkpoint.tensors.items()}
    partial = folder / f".{name}.safetensors.partial"
    save_file(tensors, partial)
    partial.replace(folder / f"{name}.safetensors")
    path = folder / f"{name}.json"
    described = folder / f".{name}.json.partial"
    described.write_text(json.dumps(asdict(checkpoint.meta), indent=1, sort_keys=True))
    described.replace(path)
    return path


def load(path: Path | str, *, space_hash: str | None = None, learner: str | None = None) -> Checkpoint:
    """Read a checkpoint from its JSON file.

    Args:
        path: The JSON file; the safetensors file lies beside it.
        space_hash: Schema hash the caller works in; None skips the check.
        learner: Family the caller expects; None skips the check.

    Raises:
        CheckpointError: If a file is missing or damaged, or the checkpoint is of another space or family.
    """
    path = Path(path)
    try:
        described = json.loads(path.read_text())
        described["task_sources"] = tuple(described["task_sources"])
        meta = CheckpointMeta(**described)
        tensors = load_file(path.with_suffix(".safetensors"))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointError(
            f"A checkpoint must be a readable JSON and safetensors pair; got {path} ({type(error).__name__}).",
            "Run `discovery meta-train` again, or restore the file from a backup.",
        ) from error
    if space_hash is not None and meta.space_hash != space_hash:
        raise CheckpointError(
            f"A checkpoint must be of the campaign's own space ({space_hash}); {path.name} is of {meta.space_hash}.",
            "Parameters were changed since: run `discovery meta-train` for this campaign.",
        )
    if learner is not None and meta.learner != learner:
        raise CheckpointError(f"A {learner} checkpoint is needed; {path.name} was made by {meta.learner}.")
    return Checkpoint(meta=meta, tensors=tensors)
