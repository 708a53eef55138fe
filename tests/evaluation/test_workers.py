"""Work over processes: results as they finish, faults as one sentence."""

from __future__ import annotations

import math
import os

import pytest
import torch

from discovery.errors import DiscoveryError
from discovery.evaluation.workers import THREAD_VARIABLES, run_all

WORKS = [("first", (4.0,)), ("second", (-1.0,))]


@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_fault_names_the_work_in_one_sentence(n_workers: int) -> None:
    """Whatever a worker raises arrives as one sentence, from this process and from another."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    with pytest.raises(DiscoveryError, match=r"^second must finish; got ValueError: [^\n]+$"):
        list(run_all(math.sqrt, WORKS, n_workers))
    assert {name: os.environ.get(name) for name in THREAD_VARIABLES} == before


def test_work_in_this_process_runs_on_one_thread_and_gives_them_back() -> None:
    """Every piece has one torch thread, as it would in a process of its own; between pieces nothing has changed."""
    before = torch.get_num_threads()
    results = [(n, torch.get_num_threads()) for _, n in run_all(torch.get_num_threads, [("a", ()), ("b", ())], 1)]
    assert results == [(1, before), (1, before)]


def test_no_work_gives_no_results() -> None:
    """An empty list starts nothing."""
    assert list(run_all(math.sqrt, [], 4)) == []
