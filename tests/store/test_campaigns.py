"""Campaigns: versions of specs, and the status of the campaign."""

import pytest

from discovery.campaign import CampaignSpec
from discovery.campaign.sharing import Sharing
from discovery.errors import ConfigurationError, InputError, StatusError
from discovery.store.campaigns import RESERVED_COLUMNS


def _changed(spec, **keys):
    return CampaignSpec.from_mapping({**spec.model_dump(exclude_none=True), **keys}, spec.base_dir)


def test_the_same_spec_makes_no_new_version(store, spec):
    """Running a campaign file again changes nothing in the store."""
    assert store.register_campaign(spec) == store.campaign("lab")
    assert store.campaign("lab").version == 1


def test_every_version_of_a_spec_is_kept(store, spec):
    """An edited file is a new version, and so is going back to the first."""
    assert store.register_campaign(_changed(spec, seed=1)).version == 2
    assert store.register_campaign(spec).version == 3
    with store.database.opened() as connection:
        hashes = connection.execute("SELECT spec_hash FROM campaigns ORDER BY version").fetchall()
    assert hashes[0] == hashes[2] != hashes[1]


def test_a_spec_comes_back_as_it_was(store, spec):
    """The store alone is enough to run a campaign again."""
    row = store.campaign("lab")
    again = CampaignSpec.from_json(row.spec_json, row.base_dir)
    assert (again, again.spec_hash, again.base_dir) == (spec, row.spec_hash, spec.base_dir)
    assert (row.objective, row.goal, row.status) == ("yield", "maximize", "ACTIVE")
    assert row.created_at.utcoffset().total_seconds() == 0


def test_a_finished_campaign_opens_with_a_new_version_only(store, spec):
    """More budget opens a campaign again; starting the same file again does not."""
    store.set_campaign_status("lab", "FINISHED", "budget spent")
    store.set_campaign_status("lab", "FINISHED")
    assert (store.campaign("lab").status, store.campaign("lab").reason) == ("FINISHED", "budget spent")
    assert store.register_campaign(spec).status == "FINISHED"
    assert store.register_campaign(_changed(spec, budget={"experiments": 99})).status == "ACTIVE"
    with pytest.raises(StatusError):
        store.set_campaign_status("lab", "PAUSED")


def test_an_unknown_campaign_is_named_with_the_known_ones(store):
    """A typing error shows what there is."""
    for ask in (store.campaign, store.measurements, store.proposals):
        with pytest.raises(InputError, match=r"got 'lob'\. Known: lab"):
            ask("lob")


def test_columns_of_the_store_cannot_be_parameters(store, spec):
    """A parameter named like a column of the result tables would hide it."""
    taken = _changed(spec, objectives=[{"name": "acqf_value", "goal": "maximize"}], outcomes=[])
    with pytest.raises(ConfigurationError, match="got acqf_value in campaign lab"):
        store.register_campaign(taken)


def test_the_reserved_names_are_the_columns_that_the_tables_have(store):
    """No column of the store's own is forgotten in the list."""
    own = {*store.measurements("lab").columns, *store.proposals("lab").columns} - {"temperature", "ligand", "yield"}
    assert own == RESERVED_COLUMNS - {"campaign"}


def test_campaigns_are_listed_with_their_counts(store, check):
    """The list says how far each campaign is."""
    store.add_measurements("lab", check({"temperature": [1.0], "ligand": ["A"], "yield": [5.0]}))
    listed = store.campaigns()
    assert listed[["campaign", "version", "n_measurements", "n_proposals"]].values.tolist() == [["lab", 1, 1, 0]]


def test_a_version_says_who_made_it_and_what_differs(store, spec, monkeypatch):
    """Every version keeps who registered it and, but for the first, what changed in it."""
    monkeypatch.setenv("DISCOVERY_USER", "Ada")
    store.register_campaign(_changed(spec, seed=1))
    monkeypatch.setenv("DISCOVERY_USER", "Bea")
    row = store.register_campaign(_changed(spec, seed=1, budget={"experiments": 9}))
    first, second, third = store.versions("lab")
    assert (second.changed_by, third.changed_by) == ("Ada", "Bea")
    assert [[str(change) for change in version.changes] for version in (first, second, third)] == [
        [],
        ["seed: 0 -> 1"],
        ["budget.experiments: 40 -> 9"],
    ]
    assert row == third == store.latest_version("lab")
    assert store.latest_version("other") is None


def test_changed_candidates_are_a_new_version(store, spec, tmp_path):
    """The same file with another list behind it is another campaign; the same list again is none."""
    listed = CampaignSpec.from_mapping({**spec.model_dump(exclude_none=True), "candidates": "list.csv"}, tmp_path)
    (tmp_path / "list.csv").write_text("temperature,ligand\n10,A\n")
    assert store.register_campaign(listed).version == store.register_campaign(listed).version == 2
    (tmp_path / "list.csv").write_text("temperature,ligand\n10,B\n")
    row = store.register_campaign(listed)
    assert (row.version, [change.path for change in row.changes]) == (3, ["candidates"])


def test_a_version_that_cannot_be_read_can_be_replaced(store, spec):
    """A key that a later release refuses does not keep the campaign from going on with a file that it takes."""
    with store.database.opened() as connection:
        connection.execute("""UPDATE campaigns SET spec = '{"name": "lab", "gone": 1}', spec_hash = 'x'""")
    (change,) = store.register_campaign(spec).changes
    assert str(change) == "the file: version 1, which this release cannot read -> as it is now"


def test_sharing_is_read_from_the_latest_version(store, spec):
    """What a campaign says now counts; one that is not there says what the file's defaults say."""
    assert (store.sharing("lab").share, store.sharing("lab").team) == ("team", "")
    store.register_campaign(_changed(spec, share="private", team="red"))
    assert (store.sharing("lab").share, store.sharing("lab").team) == ("private", "red")
    assert store.sharing("nowhere") == Sharing("nowhere")
