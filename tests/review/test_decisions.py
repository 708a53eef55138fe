import pytest

from discovery.errors import InputError
from discovery.review import parse_edit


def test_words_become_values() -> None:
    """What stands behind the first equals sign is the value, even where it holds one itself."""
    assert parse_edit(["temperature=60", " smiles = CC=O"]) == {"temperature": "60", "smiles": "CC=O"}


@pytest.mark.parametrize("words", [["temperature"], ["=60"], ["temperature="], ["a=1", "a=2"]])
def test_what_is_no_edit_is_refused(words: list[str]) -> None:
    """A word without name, sign or value, and a name that comes twice, are input errors."""
    with pytest.raises(InputError, match="An edit must"):
        parse_edit(words)
