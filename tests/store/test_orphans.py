"""Rows that point at nothing are found."""

from __future__ import annotations


def test_a_sound_store_has_no_orphans(store, draft):
    """What the store wrote itself belongs together."""
    store.add_proposals("lab", 1, [draft()], "APPROVED")
    store.start_trial("lab-c001-00", "table", "ada")
    assert store.orphans().empty


def test_rows_without_what_they_belong_to_are_found(store, draft):
    """A trial and a review whose proposal somebody has deleted are named."""
    store.add_proposals("lab", 1, [draft()], "APPROVED")
    store.start_trial("lab-c001-00", "table", "ada")
    with store.database.transaction() as connection:
        connection.execute("DELETE FROM proposals")
    found = store.orphans()
    assert found["table"].tolist() == ["reviews", "trials"]
    assert found["lacks"].tolist() == ["lab-c001-00"] * 2
