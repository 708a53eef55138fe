"""Errors cross process borders and say what to do."""

import pickle
from collections.abc import Iterator

import pytest

from discovery import errors
from discovery.errors import DiscoveryError


def _tree(base: type[DiscoveryError]) -> Iterator[type[DiscoveryError]]:
    yield base
    for child in base.__subclasses__():
        yield from _tree(child)


CLASSES = sorted(set(_tree(DiscoveryError)), key=lambda cls: cls.__name__)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_class_pickles_with_message_and_hint(cls):
    """A worker process can raise any error of the library, and the caller reads the same message and hint."""
    came = pickle.loads(pickle.dumps(cls("A must hold; got b.", "Do c.")))
    assert (type(came), came.message, came.hint, str(came)) == (
        cls,
        "A must hold; got b.",
        "Do c.",
        "A must hold; got b. Do c.",
    )


def test_every_error_of_the_module_is_in_the_tree():
    """One except clause catches everything that the library raises on purpose."""
    named = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)}
    assert named == {cls for cls in CLASSES if cls.__module__ == "discovery.errors"}


@pytest.mark.parametrize(("n", "said"), [(0, "0 open proposals"), (1, "1 open proposal"), (12, "12 open proposals")])
def test_a_count_agrees_with_its_noun(n, said):
    """Messages do not speak of 1 proposals."""
    assert errors.counted(n, "open proposal") == said


def test_an_error_without_a_hint_is_its_message():
    """Nothing is added to a message that stands alone."""
    assert str(DiscoveryError("A must hold.")) == "A must hold."
