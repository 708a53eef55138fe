"""`discovery explain` says why, as text, as a page and as JSON."""

import pytest

SENTENCES = ("Expected yield", "It ", "What drives it", "What it would teach")


@pytest.fixture
def proposed(cli, file):
    """A campaign with two proposals that wait."""
    assert cli("propose", file).code == 0
    return file


def test_explain_says_why(cli, proposed, tmp_path):
    """Without an id all that wait are explained; the page has their plots, JSON all the numbers, and both agree."""
    answer = cli("explain", proposed, "--html", tmp_path / "why.html")
    assert answer.code == 0 and "Wrote" in answer.err
    for said in ("lab-c001-00", "lab-c001-01", *SENTENCES, "a typical candidate", "Who argues for it"):
        assert said in answer.out
    page = (tmp_path / "why.html").read_text(encoding="utf-8")
    assert "lab-c001-01" in page and page.count("data:image/svg+xml") == 2 * 3  # two slices and a map each
    (one,) = cli("explain", proposed, "lab-c001-00", "--json").json
    drivers = one["drivers"]
    assert one["proposal_id"] == "lab-c001-00" and len(one["slices"]) == 2
    assert drivers["start"] + sum(part["effect"] for part in drivers["parts"]) == pytest.approx(one["card"]["mean"])
    assert all(sentence in " ".join(answer.out.split()) for sentence in one["reasons"])


def test_the_card_points_to_it(cli, proposed):
    """What stands at the end of a card is the command, file and all."""
    assert f"discovery explain {proposed} lab-c001-00" in cli("review", proposed).out


def test_what_there_is_not_is_said(cli, file):
    """Before the first proposal there is nothing to explain; an id that is unknown is named."""
    assert cli("explain", file).out.strip() == "There is no proposal to explain yet."
    unknown = cli("explain", file, "lab-c009-00")
    assert unknown.code == 1 and "lab-c009-00" in unknown.err and "Traceback" not in unknown.err
