"""Yield surfaces: their physics at the borders, what parameters mean, and what is refused."""

import pytest
import torch

from discovery.errors import ConfigurationError
from discovery.registry import simulator
from simulators.reaction_kinetics import ENERGY_KJ, ReactionKinetics
from simulators.roles import ROLE_WORDS

MINUTES = {"name": "time", "type": "continuous", "bounds": [0, 60], "unit": "min"}
CELSIUS = {"name": "temperature", "type": "continuous", "bounds": [30, 110], "unit": "degC"}
LOADING = {"name": "loading", "type": "continuous", "bounds": [0.5, 5.0]}
LIGAND = {"name": "ligand", "type": "categorical", "values": ["L1", "L2", "L3", "L4", "L5", "L6"]}
SHORT = 1e-9  # of the range of time


def sweep(space, varied, fixed):
    """Points in which the columns of one parameter run from 0 to 1 and others are fixed by name."""
    columns = {block.name: block.start for block in space.blocks}
    points = torch.full((11, space.n_dims), 0.5, dtype=torch.float64)
    points[:, columns[varied]] = torch.linspace(0, 1, 11, dtype=torch.float64)
    for name, value in fixed.items():
        points[:, columns[name]] = value
    return points


def yields(space, points, n_tasks=64, seed=0, **overrides):
    """Noise-free yields at shared points. Shape `t x n`."""
    bound = ReactionKinetics(**overrides).bind(space)
    return bound.sample(n_tasks, len(points), torch.Generator().manual_seed(seed), points=points).truth["Y"].squeeze(2)


def test_no_time_no_yield(make_space):
    """At time zero every task yields nothing."""
    space = make_space([CELSIUS, MINUTES, LOADING])

    assert yields(space, sweep(space, "temperature", {"time": 0.0})).abs().max() == 0.0


@pytest.mark.parametrize("varied", ["temperature", "loading"])
def test_short_times_reward_heat_and_catalyst(make_space, varied):
    """At a fixed short time, yield grows with temperature and with catalyst loading in every task."""
    space = make_space([CELSIUS, MINUTES, LOADING])
    Y = yields(space, sweep(space, varied, {"time": SHORT}))

    assert (Y.diff(dim=1) > 0).all()


def test_long_reactions_have_a_best_temperature(make_space):
    """Hot is not always better: in some tasks the best temperature is inside, in some at either end."""
    space = make_space([CELSIUS, MINUTES])
    best = yields(space, sweep(space, "temperature", {"time": 1.0}), n_tasks=200).argmax(dim=1)

    assert {0, 10} < set(best.tolist())


def test_categories_matter_and_interact(make_space):
    """The best level of one category depends on the level of another in some tasks and not in others."""
    base = {"name": "base", "type": "categorical", "values": ["B1", "B2", "B3"]}
    space = make_space([LIGAND, base])
    ligand, kind = torch.arange(6).repeat(3), torch.arange(3).repeat_interleave(6)
    points = torch.cat([torch.eye(6)[ligand], torch.eye(3)[kind]], dim=1).to(torch.float64)

    best = yields(space, points, n_tasks=200).view(200, 3, 6).argmax(dim=2)
    is_same = (best == best[:, :1]).all(dim=1)

    assert 20 < is_same.sum() < 180


def test_dead_levels_lower_yields(make_space):
    """With every level dead, hardly anything reacts."""
    space = make_space([LIGAND])
    points = torch.eye(6, dtype=torch.float64)

    assert yields(space, points, dead_levels=1.0).mean() < 0.5 * yields(space, points, dead_levels=0.0).mean()


def test_other_numbers_matter_little(make_space):
    """A number of no role moves yields, smoothly and less than temperature does."""
    space = make_space([CELSIUS, MINUTES, {"name": "stirring", "type": "continuous", "bounds": [200, 900]}])
    spread = {name: yields(space, sweep(space, name, {})).std(dim=1).mean() for name in ("stirring", "temperature")}

    assert 0.0 < spread["stirring"] < 0.4 * spread["temperature"]


@pytest.mark.parametrize(
    ("other", "overrides"),
    [
        ({"name": "temperature", "bounds": [303.15, 383.15], "unit": "K"}, {}),
        ({"name": "temperature", "bounds": [86, 230], "unit": "degF"}, {}),
        ({"name": "temperature_k", "bounds": [303.15, 383.15]}, {}),
        ({"name": "T1", "bounds": [303.15, 383.15]}, {"roles": {"T1": "temperature"}, "units": {"T1": "K"}}),
        ({"name": "Reaction Temp", "bounds": [303.15, 383.15]}, {"units": {"Reaction Temp": "K"}}),
    ],
)
def test_units_of_temperature(make_space, other, overrides):
    """The same temperatures in another unit, or under another name, give the same yields."""
    units = {other["name"]: other["unit"]} if "unit" in other else {}
    given = {**overrides, "units": {**units, **overrides.get("units", {})}}
    space = make_space([CELSIUS, LIGAND])
    renamed = make_space([{**other, "type": "continuous"}, LIGAND])
    points = torch.rand(8, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    expected = yields(space, points, units={"temperature": "degC"})

    torch.testing.assert_close(yields(renamed, points, **given), expected, rtol=1e-6, atol=1e-6)


def test_unit_of_time(make_space):
    """An hour is sixty minutes: on the same grid the same constants in 1/s, the same yields."""
    hours = {"name": "time_h", "type": "continuous", "bounds": [0, 1], "step": 0.01}
    spaces = [make_space([{**MINUTES, "name": "time_min", "step": 0.6}]), make_space([hours])]
    batches = [ReactionKinetics().bind(space).sample(8, 5, torch.Generator().manual_seed(0)) for space in spaces]

    torch.testing.assert_close(batches[0].truth["Y"], batches[1].truth["Y"])
    torch.testing.assert_close(batches[0].truth["log_rate_ref"], batches[1].truth["log_rate_ref"])


def test_constants_are_within_their_ranges(mixed, seeded):
    """Activation energies lie within the stated limits, kJ/mol."""
    energy = ReactionKinetics().bind(mixed).sample(500, 1, seeded(0)).truth["energy_kj"]
    low, high = torch.tensor(ENERGY_KJ, dtype=torch.float64).T

    assert (energy >= low).all() and (energy <= high).all()
    assert (energy.amax(dim=0) - energy.amin(dim=0) > 0.9 * (high - low)).all()


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("temperature", "temperature"),
        ("ReactionTemperature", "temperature"),
        ("temp_c", "temperature"),
        ("residence_time", "time"),
        ("duration (h)", "time"),
        ("catalyst_loading", "loading"),
        ("base equiv", "equivalents"),
        ("substrate_conc", "concentration"),
        ("template", None),
        ("pressure", None),
    ],
)
def test_roles_are_found_by_words(make_space, name, role):
    """Parameters get their role by the words of their names, not by parts of words."""
    space = make_space([LIGAND, {"name": name, "type": "continuous", "bounds": [20, 60]}])
    roles = ReactionKinetics().bind(space).layout.roles

    assert [r.role for r in roles] == ([] if role is None else [role])
    assert role is None or role in ROLE_WORDS


def test_a_space_of_unknown_numbers_is_refused(make_space):
    """Where no parameter means anything to a reaction, the message says which there are and how to say it."""
    space = make_space([{"name": name, "type": "continuous", "bounds": [0, 1]} for name in ("u", "v")])

    with pytest.raises(ConfigurationError, match=r"reaction_kinetics needs a category or .* got u, v\. .*roles"):
        ReactionKinetics().bind(space)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"roles": {"temperature": "warmth"}}, "roles: temperature must be one of .*; got 'warmth'"),
        ({"roles": {"ligand": "time"}}, "roles: ligand must be a numeric parameter of the campaign; it has temp"),
        ({"units": {"temperature": "K"}}, None),
        ({"noise": [1.0, 0.5]}, "noise must be .* 0 < low < high"),
        ({"dead_levels": 2}, "dead_levels must lie in"),
    ],
)
def test_overrides_are_checked(make_space, overrides, message):
    """A wrong override is named with what may stand there; a right one passes."""
    space = make_space([CELSIUS, LIGAND])
    if message is None:
        assert simulator("reaction_kinetics", **overrides).bind(space).layout.role("temperature").limits == (30, 110)
        return
    with pytest.raises(ConfigurationError, match=message):
        simulator("reaction_kinetics", **overrides).bind(space)


def test_absolute_zero(make_space):
    """A temperature range that reaches below 0 K is refused with its bound and unit."""
    space = make_space([{**CELSIUS, "bounds": [-10, 50]}])

    with pytest.raises(ConfigurationError, match="absolute zero; got a lower bound of -10 k"):
        ReactionKinetics(units={"temperature": "K"}).bind(space)
