"""`discovery deploy` says what is wrong before anything is made: options, files, and where the server is."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def no_server():
    """No server is named; what the command sets for Prefect ends with the test."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize(
    "words",
    [
        ("--pool", "lab", "--serve"),
        ("--remove", "--serve"),
        ("--remove", "--pool", "lab"),
        ("--remove", "--prune"),
        ("--pool", "a/b"),
        ("--pool", ""),
        ("--sweep-every", "often"),
        ("--sweep-every", "0m"),
        ("--limit", "0"),
    ],
    ids=" ".join,
)
def test_options_that_make_no_sense_are_wrong_usage(words, file, cli):
    """Exit code 2, the option named, nothing printed as a result."""
    answer = cli("deploy", file, *words)
    assert answer.code == 2 and not answer.out
    assert any(word in answer.err for word in words if word.startswith("--"))


@pytest.mark.parametrize("words", [(), ("--pool", "lab"), ("--remove",)], ids=" ".join)
def test_without_a_server_it_says_how_to_have_one(words, file, cli):
    """No server is named and none is asked for: the setting and the option are."""
    answer = cli("deploy", file, *words)
    assert answer.code == 1 and "PREFECT_API_URL" in answer.err and "--serve" in answer.err


def test_a_server_that_is_not_there_is_one_sentence(file, cli, monkeypatch):
    """The address without its password, no traceback, and nothing left beside the store."""
    monkeypatch.setenv("PREFECT_API_URL", "http://ada:pass-1@127.0.0.1:1/api")
    answer = cli("deploy", file)
    assert answer.code == 1 and not answer.out
    assert answer.err.count("\n") == 1 and answer.err.startswith("Error: The Prefect server at http://127.0.0.1:1/api")
    assert "pass-1" not in answer.err
    assert not (file.parent / ".prefect").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"budget": {"experiments": 0}}, "budget.experiments"),
        ({"candidates": "missing.csv"}, "missing.csv"),
        ({"experience": {"simulators": [{"name": "no_such"}]}}, "no_such"),
    ],
)
def test_a_file_that_does_not_validate_is_refused_before_a_server_is_asked(changes, said, write, cli, monkeypatch):
    """One wrong file of two: both stay undeployed, and the sentence is that of `validate`."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    right = write("right.yaml")
    right.write_text(right.read_text().replace("name: lab\n", "name: other\n"))
    wrong = write("wrong.yaml", **changes)
    answer = cli("deploy", right, wrong)
    assert answer.code == 1 and said in answer.err and "127.0.0.1" not in answer.err
    assert answer.err == cli("validate", wrong).err


def test_two_files_with_one_name_are_refused(write, cli, monkeypatch):
    """They would be one deployment."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    answer = cli("deploy", write("one.yaml"), write("two.yaml"))
    assert answer.code == 1 and "different names" in answer.err


def test_a_server_of_its_own_is_not_opened_to_others_without_a_password(file, cli):
    """--host 0.0.0.0 needs a password, since whoever reaches the server could run programs here."""
    answer = cli("deploy", file, "--serve", "--host", "0.0.0.0")
    assert answer.code == 1 and "PREFECT_SERVER_API_AUTH_STRING" in answer.err
