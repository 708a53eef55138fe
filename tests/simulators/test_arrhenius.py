"""The mechanism of reaction kinetics against mass balance, limits and an integrated differential equation."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from simulators.arrhenius import amounts, log_rate, saturation

rate = st.floats(-14.0, 8.0).map(np.exp)  # from frozen to instant, 1/s
rates = st.tuples(rate, rate, rate, rate)


def species(k, seconds):
    """Amounts (A, P, S, B) of one reaction."""
    found = amounts(torch.tensor([[k]], dtype=torch.float64), torch.tensor([[seconds]], dtype=torch.float64))
    return [float(x) for x in (found.reagent, found.product, found.consecutive, found.competing)]


@given(rates, st.floats(0.0, 1e5))
def test_mass_balance(k, seconds):
    """Amounts are shares: none is negative, and they sum to one."""
    found = species(k, seconds)

    assert min(found) >= 0.0
    assert sum(found) == pytest.approx(1.0, abs=1e-9)


@given(rates)
def test_nothing_happens_in_no_time(k):
    """At time zero there is reagent and nothing else."""
    assert species(k, 0.0) == pytest.approx([1.0, 0.0, 0.0, 0.0], abs=1e-12)


@settings(deadline=None, max_examples=15)
@given(st.tuples(*[st.floats(-4.0, 1.0).map(np.exp)] * 4), st.floats(0.1, 20.0))
def test_closed_form_solves_the_equations(k, seconds):
    """The closed form agrees with a numerical integration of the rate equations."""
    main, consecutive, competing, deactivation = k

    def slopes(_, y):
        a, p, _s, _b, activity = y
        made, lost, beside = main * activity * a, consecutive * activity * p, competing * activity * a
        return [-made - beside, made - lost, lost, beside, -deactivation * activity]

    end = solve_ivp(slopes, (0.0, seconds), [1.0, 0.0, 0.0, 0.0, 1.0], rtol=1e-9, atol=1e-11).y[:4, -1]

    assert species(k, seconds) == pytest.approx(end, abs=1e-6)


@given(rate, rate, st.floats(0.0, 100.0))
def test_equal_rates_are_no_pole(main, competing, seconds):
    """Where the two exponentials of P have one rate, its amount is the limit of neighboring rates."""
    equal = species((main, main + competing, competing, 1e-3), seconds)
    nearly = species((main, (main + competing) * (1 + 1e-7), competing, 1e-3), seconds)

    assert equal == pytest.approx(nearly, abs=1e-5)


@given(st.tuples(rate, rate, rate), st.floats(1.0, 5.0))
def test_short_times_reward_activity(k, gain):
    """At a time too short for side reactions, a more active catalyst gives more product."""
    seconds = 1e-3 / max(k)
    slow = species((*k, 0.0), seconds)
    fast = species((*(gain * x for x in k), 0.0), seconds)

    assert fast[1] >= slow[1] * (1 - 1e-9)


def test_dead_catalyst_stops_at_its_turnover():
    """With deactivation, waiting longer ends at the conversion `1 - exp(-k / k_d)`."""
    assert species((1.0, 0.0, 0.0, 2.0), 1e4)[1] == pytest.approx(1 - np.exp(-0.5), rel=1e-9)


def test_ten_degrees_double_the_rate():
    """The rule of thumb: at 52.9 kJ/mol and room temperature, ten kelvin more double a rate."""
    shift = log_rate(torch.zeros(1), torch.tensor([52.9]), torch.tensor([308.15]), 298.15)

    assert float(shift.exp()) == pytest.approx(2.0, rel=0.01)


def test_saturation_at_its_ends():
    """`(1 - exp(-u)) / u` is 1 at zero and 1/u for large u."""
    found = saturation(torch.tensor([0.0, 1e-9, 50.0, 1e20], dtype=torch.float64))

    assert found.tolist() == pytest.approx([1.0, 1.0, 0.02, 1e-20], rel=1e-6)
