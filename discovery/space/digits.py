"""Numbers to as many digits as mean something: what tables show, keys tell apart and computation leaves."""

from __future__ import annotations

import numpy as np


def round_digits(values: np.ndarray) -> np.ndarray:
    """Round to 12 significant digits: what a key and a decoded table can tell apart."""
    return number_texts(values).astype(np.float64)


def number_texts(values: np.ndarray) -> np.ndarray:
    """Return numbers as text with 12 significant digits; the same text for 0 and -0."""
    return np.char.mod("%.12g", np.asarray(values, dtype=np.float64) + 0.0)


def without_noise(values: np.ndarray, size: np.ndarray | float) -> np.ndarray:
    """Round to 12 digits after the first one of a size that computation went through, so that 0.3 comes back as 0.3."""
    scale = 10.0 ** (12 - np.floor(np.log10(np.maximum(size, 1e-280))))
    return np.asarray(np.round(values * scale) / scale)
