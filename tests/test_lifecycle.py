"""The status tables, exhaustively: every pair of statuses is either allowed here or refused."""

import itertools

import pytest

from discovery.errors import StatusError
from discovery.lifecycle import NEW, STATUSES, TRANSITIONS, check_transition, successors

ALLOWED = {
    "campaign": {("", "ACTIVE"), ("ACTIVE", "FINISHED"), ("FINISHED", "ACTIVE")},
    "proposal": {
        ("", "PROPOSED"),
        ("PROPOSED", "APPROVED"),
        ("PROPOSED", "REJECTED"),
        ("PROPOSED", "STALE"),
        ("APPROVED", "STALE"),
    },
    "trial": {("", "RUNNING"), ("RUNNING", "COMPLETED"), ("RUNNING", "FAILED"), ("RUNNING", "ABANDONED")},
    "model": {
        ("", "CANDIDATE"),
        ("CANDIDATE", "PROMOTED"),
        ("CANDIDATE", "REJECTED"),
        ("PROMOTED", "ARCHIVED"),
        ("ARCHIVED", "PROMOTED"),
    },
}
PAIRS = [
    (kind, before, after)
    for kind, statuses in STATUSES.items()
    for before, after in itertools.product([NEW, *map(str, statuses), "UNKNOWN"], repeat=2)
]


@pytest.mark.parametrize(("kind", "before", "after"), PAIRS)
def test_every_pair_of_statuses_is_decided(kind, before, after):
    """A record moves exactly where the table in the design says, and nowhere else."""
    if (before, after) in ALLOWED[kind]:
        check_transition(kind, before, after)
    else:
        with pytest.raises(StatusError):
            check_transition(kind, before, after)


@pytest.mark.parametrize("kind", STATUSES)
def test_every_status_can_be_reached_and_every_move_has_someone_who_makes_it(kind):
    """No status is dead, and nobody has to guess who may make a move."""
    assert {after for _, after in TRANSITIONS[kind]} == set(STATUSES[kind])
    assert all(TRANSITIONS[kind].values())


def test_the_message_names_the_record_and_what_it_may_become():
    """Someone who is refused reads which record it was and where it may go."""
    with pytest.raises(StatusError, match=r"Trial x-t1 must not move from COMPLETED to RUNNING\. COMPLETED is final\."):
        check_transition("trial", "COMPLETED", "RUNNING", "x-t1")
    with pytest.raises(StatusError, match="It may become APPROVED or REJECTED or STALE"):
        check_transition("proposal", "PROPOSED", "PROPOSED", "x")


def test_successors_of_a_final_status_are_none():
    """A rejected proposal stays rejected."""
    assert successors("proposal", "REJECTED") == ()
    assert successors("trial", "RUNNING") == ("COMPLETED", "FAILED", "ABANDONED")
