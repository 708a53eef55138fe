"""The race against a loop over tasks: both sides compute the same thing, and what is said of it adds up."""

import pytest
import torch

from discovery.evaluation.bench.meta import throughput
from discovery.evaluation.bench.meta.frame import CheckOptions, run_check
from discovery.meta.gradient_based import MamlNetwork
from discovery.seeds import torch_generator


def test_the_loop_and_the_vmapped_step_have_the_same_gradient():
    """What is timed is second-order MAML on both sides: loss and gradient agree."""
    g = torch_generator(0, "same")
    network = MamlNetwork()
    weights = network.moving(network.initial(throughput.N_DIMS, g))
    weights = {name: value.double().requires_grad_() for name, value in weights.items()}
    support, query = (throughput._rows(3, n, g) for n in (10, 15))
    support, query = (type(rows)(*(v.double() for v in rows)) for rows in (support, query))
    loop = throughput.task_loop(weights, support, query)
    ours = throughput.vmapped(network, weights, support, query)
    torch.testing.assert_close(ours, loop)
    values = list(weights.values())
    torch.testing.assert_close(torch.autograd.grad(ours, values), torch.autograd.grad(loop, values))


def test_the_check_says_how_many_times_faster_each_family_is():
    """The JSON holds a ratio for each family; threads are as they were."""
    before = torch.get_num_threads()
    found = run_check("throughput", CheckOptions(is_quick=True)).to_json()
    assert set(found["ratio_to_task_loop"]) == {"maml", "fomaml", "anil"}
    rows = {row["method"]: row for row in found["rows"]}
    fastest = {name: max(v for k, v in row.items() if k.startswith("tasks_per_s")) for name, row in rows.items()}
    for name, ratio in found["ratio_to_task_loop"].items():
        assert ratio == pytest.approx(fastest[name] / fastest["task loop"], rel=0.01)
    assert found["ratio_to_task_loop"]["anil"] > 1
    assert torch.get_num_threads() == before
