"""Every error the library raises on purpose: one tree, so that callers can tell wrong from wait from stop.

The message says what was expected, what came and where; the hint says what to do. Both are positional and passed to
`super().__init__`, so that every class pickles and crosses process borders.
"""


def counted(n: int, noun: str) -> str:
    """Write a count with its noun for a message.

    Example:
        >>> counted(1, "open proposal"), counted(0, "cycle")
        ('1 open proposal', '0 cycles')
    """
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


class DiscoveryError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: What must hold, what came instead, and where.
        hint: What to do about it; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InputError(DiscoveryError):
    """Data handed in are wrong: a row, a column, a value."""


class ShapeError(InputError):
    """A tensor or table has another shape than the contract says."""


class ConfigurationError(DiscoveryError):
    """The campaign file or a setting is wrong."""


class NotSupportedError(ConfigurationError):
    """The request is well-formed, and this release cannot do it."""


class NotEnoughDataError(DiscoveryError):
    """More measurements are needed first: wait."""


class NoCandidateError(DiscoveryError):
    """Nothing is left to propose: stop."""


class StopAdvisedError(NoCandidateError):
    """The next experiments are expected to gain less than was asked for: stop, or go on knowing that."""


class StoreError(DiscoveryError):
    """The database is corrupt, too new, or refuses the operation."""


class StoreLockedError(StoreError):
    """Another process holds the database: try again later."""


class LeaseError(StoreError):
    """Another live owner holds the lease: wait for it, or for its expiry."""


class CheckpointError(DiscoveryError):
    """A checkpoint is damaged, of another space, or of another family."""


class StatusError(DiscoveryError):
    """A proposal or trial may not move from its status to the one asked for."""


class ExperimentError(DiscoveryError):
    """A trial could not be carried out."""
