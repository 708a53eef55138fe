"""The model registry: one version in use, none that was trained on the campaign itself."""

from dataclasses import replace

import pytest

from discovery.errors import InputError, StatusError
from discovery.store import ModelVersion

FIRST = ModelVersion(
    "m1", "history", "meta_gp", "models/m1", "h1", "space", None, ("a.csv", "campaign:old"), {"nlpd": 0.5}
)


def test_a_version_comes_back_as_it_was(store):
    """Tasks and scores are part of what is stored."""
    assert store.register_model(FIRST) == FIRST
    assert store.register_model(FIRST) == store.model("m1") == FIRST
    assert store.models()["version_id"].tolist() == ["m1"]
    assert store.promoted("history", "space") is None
    with pytest.raises(InputError, match="must be registered once"):
        store.register_model(replace(FIRST, content_hash="other"))


def test_promotion_archives_the_version_before(store):
    """At most one version is in use; the other hypotheses, spaces and campaigns keep theirs."""
    others = [
        replace(FIRST, version_id="x", hypothesis="no_transfer", status="PROMOTED"),
        replace(FIRST, version_id="y", space_hash="elsewhere", status="PROMOTED"),
        replace(FIRST, version_id="z", campaign="lab", status="PROMOTED"),
    ]
    for version in [replace(FIRST, status="PROMOTED"), *others]:
        assert store.register_model(version).status == "PROMOTED"
    store.register_model(replace(FIRST, version_id="m2", parent="m1"))
    assert store.promote("m2").parent == "m1"
    statuses = store.models().set_index("version_id")["status"].to_dict()
    assert statuses == {"m1": "ARCHIVED", "x": "PROMOTED", "y": "PROMOTED", "z": "PROMOTED", "m2": "PROMOTED"}
    assert store.promoted("history", "space").version_id == "m2"
    assert store.promoted("history", "space", campaign="lab").version_id == "z"


def test_a_rollback_promotes_an_archived_version(store):
    """What was in use before can be put to use again."""
    store.register_model(replace(FIRST, status="PROMOTED"))
    store.register_model(replace(FIRST, version_id="m2", status="PROMOTED"))
    store.promote("m1")
    assert store.promoted("history", "space").version_id == "m1"
    assert store.model("m2").status == "ARCHIVED"


def test_a_campaign_never_gets_a_version_that_was_trained_on_it(store):
    """The latest version without the campaign's own data is used, or none."""
    store.register_model(replace(FIRST, status="PROMOTED"))
    store.register_model(
        replace(FIRST, version_id="m2", task_sources=(*FIRST.task_sources, "campaign:lab"), status="PROMOTED")
    )
    assert store.promoted("history", "space").version_id == "m2"
    assert store.promoted("history", "space", excluding="campaign:lab").version_id == "m1"
    assert store.promoted("history", "space", excluding="campaign:old") is None


def test_a_rejected_version_is_never_used(store):
    """What failed the gate stays out."""
    store.register_model(FIRST)
    assert store.reject_model("m1").status == "REJECTED"
    with pytest.raises(StatusError):
        store.promote("m1")
    assert store.promoted("history", "space") is None
    with pytest.raises(StatusError):
        store.register_model(replace(FIRST, version_id="m9", status="ARCHIVED"))
    with pytest.raises(InputError, match="got 'm9'"):
        store.promote("m9")
