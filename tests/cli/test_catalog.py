"""`simulators` and `meta-learners`: what can be named in a campaign file."""

from __future__ import annotations

from discovery.registry import LEARNERS, simulator_names


def test_every_simulator_is_listed_and_shown(cli, folder):
    """Each installed simulator is listed and says what it takes, gives and rests on."""
    rows = cli("simulators", "list", "--json").json
    assert [row["name"] for row in rows] == list(simulator_names())
    assert all(name in cli("simulators", "list").out for name in simulator_names())
    for row in rows:
        shown = cli("simulators", "show", row["name"], "--json").json
        assert shown["source"] and shown["inputs"] and isinstance(shown["overrides"], list)
        assert row["name"] in cli("simulators", "show", row["name"]).out


def test_an_unknown_simulator_is_named(cli, folder):
    """A name that no package provides is refused with those that exist."""
    answer = cli("simulators", "show", "gp_pior")
    assert answer.code == 1 and "gp_prior" in answer.err


def test_every_learner_is_listed(cli, folder):
    """Each learner of the registry is listed with its family, what it makes of measurements, and what it is for."""
    rows = cli("meta-learners", "--json").json
    assert {row["name"] for row in rows} == set(LEARNERS)
    assert all(row["family"] and row["output"] and row["use"] and row["description"] for row in rows)
    assert all(name in cli("meta-learners").out for name in LEARNERS)
