"""Proposals keep what was predicted, and are decided once."""

import pytest

from discovery.errors import InputError, StatusError, StoreError


def test_a_proposal_comes_back_with_everything_that_was_stored(store, draft):
    """Nobody can be wise after the event: predictions, argument and seed are read as they were written."""
    drafts = [draft(40.0), draft(0.1 + 0.2, row=None, acqf_value=float("-inf"))]
    ids = store.add_proposals("lab", 1, drafts)
    assert ids == ["lab-c001-00", "lab-c001-01"]
    for position, (proposal_id, made) in enumerate(zip(ids, drafts, strict=True)):
        row = store.proposal(proposal_id)
        assert (row.campaign, row.cycle, row.position, row.status) == ("lab", 1, position, "PROPOSED")
        for name in vars(made):
            assert getattr(row, name) == getattr(made, name), name
        assert row.proposed == made.configuration
        assert row.created_at.utcoffset().total_seconds() == 0


def test_the_same_drafts_twice_are_stored_once(store, draft):
    """A cycle that was killed after storing may be run again; other drafts in the same cycle are refused."""
    first = store.add_proposals("lab", 1, [draft(40.0), draft(50.0)])
    assert store.add_proposals("lab", 1, [draft(40.0), draft(50.0)]) == first
    assert len(store.proposals("lab")) == 2
    with pytest.raises(StoreError, match="Cycle 1 of campaign lab must be proposed once"):
        store.add_proposals("lab", 1, [draft(60.0)])
    assert store.next_cycle("lab") == 2


def test_the_table_of_proposals_has_real_columns(store, draft):
    """Parameters are columns with their types, in the order proposed, and statuses filter the rows."""
    assert store.proposals("lab").empty
    assert store.next_cycle("lab") == 1
    store.add_proposals("lab", 1, [draft(40.0), draft(50.5)])
    store.add_proposals("lab", 2, [draft(60.0, row=None)], status="APPROVED")
    table = store.proposals("lab")
    assert table["temperature"].tolist() == [40.0, 50.5, 60.0]
    assert table["ligand"].tolist() == ["A", "A", "A"]
    assert (str(table["temperature"].dtype), table["seed"].tolist()) == ("float64", [2**62 + 1] * 3)
    assert table["candidate_row"].isna().tolist() == [False, False, True]
    assert store.proposals("lab", ["APPROVED"])["proposal_id"].tolist() == ["lab-c002-00"]
    assert store.proposals("lab", []).empty


def test_proposals_that_nobody_reviews_say_so(store, draft):
    """In auto mode the approval is a review by `auto`, not a gap in the record."""
    store.add_proposals("lab", 1, [draft()], status="APPROVED")
    assert store.reviews("lab")[["decision", "reviewer"]].values.tolist() == [["approve", "auto"]]
    for status in ("REJECTED", "STALE", "DONE"):
        with pytest.raises(StatusError):
            store.add_proposals("lab", 2, [draft()], status=status)
    assert store.next_cycle("lab") == 2


@pytest.mark.parametrize(
    ("decision", "status", "options"),
    [
        ("approve", "APPROVED", {}),
        ("reject", "REJECTED", {"reason": "out of stock"}),
        ("stale", "STALE", {}),
        ("edit", "APPROVED", {"values": {"temperature": 45.0}, "key": "edited"}),
    ],
)
def test_a_proposal_is_decided_once(store, draft, decision, status, options):
    """Whatever was decided first stands; the second decision is refused and leaves no trace."""
    [proposal_id] = store.add_proposals("lab", 1, [draft()])
    assert store.decide(proposal_id, decision, "Ada", **options).status == status
    for again in ("approve", "stale"):
        with pytest.raises(StatusError, match=f"{proposal_id} must not move from {status}"):
            store.decide(proposal_id, again, "Bob")
    assert store.reviews("lab")[["decision", "reviewer"]].values.tolist() == [[decision, "Ada"]]


def test_an_edit_keeps_both_the_proposed_and_the_approved_values(store, draft):
    """What runs is what the reviewer wrote; what was proposed stays on record."""
    [proposal_id] = store.add_proposals("lab", 1, [draft(40.0)])
    row = store.decide(proposal_id, "edit", "Ada", values={"temperature": 45.5}, key="k45")
    assert (row.configuration, row.proposed) == (
        {"temperature": 45.5, "ligand": "A"},
        {"temperature": 40.0, "ligand": "A"},
    )
    table = store.proposals("lab")
    assert (table["temperature"].tolist(), table["key"].tolist(), table["is_edited"].tolist()) == (
        [45.5],
        ["k45"],
        [True],
    )


@pytest.mark.parametrize(
    ("decision", "options"),
    [
        ("maybe", {}),
        ("reject", {}),
        ("edit", {}),
        ("edit", {"values": {"temperature": 45.0}}),
        ("edit", {"values": {"pressure": 1.0}, "key": "k"}),
        ("approve", {"values": {"temperature": 45.0}, "key": "k"}),
    ],
)
def test_a_decision_that_makes_no_sense_changes_nothing(store, draft, decision, options):
    """Unknown decisions, rejections without a reason and edits of what is no parameter are refused."""
    [proposal_id] = store.add_proposals("lab", 1, [draft()])
    with pytest.raises(InputError):
        store.decide(proposal_id, decision, "Ada", **options)
    assert store.proposal(proposal_id).status == "PROPOSED"
    assert store.reviews("lab").empty


def test_an_unknown_proposal_is_named(store):
    """A typing error is reported as such."""
    with pytest.raises(InputError, match="got 'lab-c009-00'"):
        store.decide("lab-c009-00", "approve", "Ada")


def test_calibration_compares_only_what_was_predicted(store, draft, check):
    """An edited proposal was measured elsewhere: its predictions say nothing about the outcome."""
    ids = store.add_proposals("lab", 1, [draft(40.0), draft(50.0)])
    store.decide(ids[0], "approve", "Ada")
    store.decide(ids[1], "edit", "Ada", values={"temperature": 55.0}, key='temperature=55; ligand="A"')
    report = store.add_measurements(
        "lab", check({"temperature": [40.0, 55.0], "ligand": ["A", "A"], "yield": [44.0, 12.0], "proposal_id": ids})
    )
    inputs = store.view("v_calibration_inputs", "lab")
    assert report.n_unproposed == 0
    assert inputs[["proposal_id", "hypothesis", "outcome"]].values.tolist() == [
        [ids[0], "history", 44.0],
        [ids[0], "no_transfer", 44.0],
    ]
    assert inputs["means"].tolist() == ["[40.0,41.0]", "[50.0,51.0]"]
    assert store.proposals("lab")["is_measured"].tolist() == [True, True]
    joined = store.view("v_proposals", "lab")
    assert joined[["decision", "measured_position"]].values.tolist() == [["approve", 1], ["edit", 2]]
