"""Seeds by name: every random stream is derived from the campaign's seed and what the stream is for.

No global generator is ever touched, so the same seed gives the same proposals whatever ran before.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, *purpose: object) -> int:
    """Derive a 63-bit seed from a seed and the words that say what it is for.

    Example:
        >>> derive(0, "proposals", 3) == derive(0, "proposals", 3)
        True
        >>> derive(0, "proposals", 3) == derive(0, "proposals", 4)
        False
    """
    text = "\x1f".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def rng(seed: int, *purpose: object) -> np.random.Generator:
    """Return a NumPy generator for one purpose."""
    return np.random.default_rng(derive(seed, *purpose))


def torch_generator(seed: int, *purpose: object, device: str | torch.device = "cpu") -> torch.Generator:
    """Return a torch generator for one purpose on a device."""
    import torch

    generator = torch.Generator(device=device)
    generator.manual_seed(derive(seed, *purpose))
    return generator
