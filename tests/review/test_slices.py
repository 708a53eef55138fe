"""Slices and maps go through the proposal, through measured points, and know what is not allowed."""

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.review.slices import N_LISTED, Cutter
from discovery.space import SearchSpace

HERE = {"catalyst": "B", "temperature": 70.0, "time": 30.0}


@pytest.fixture(scope="module")
def cutter(space, foresight) -> Cutter:
    """Cuts through the belief at a configuration."""
    return Cutter(space, foresight, HERE)


def test_every_slice_goes_through_the_proposal(cutter, space, foresight) -> None:
    """At the proposal's own value each slice has the proposal's mean and interval."""
    x = space.encode(pd.DataFrame([HERE]))
    mean, (low, high) = foresight.at(x).mean[0], foresight.interval(x)
    cuts = cutter.slices()
    assert [cut.parameter for cut in cuts] == list(HERE)
    for cut in cuts:
        assert cut.values[cut.here] == HERE[cut.parameter]
        found = (cut.mean[cut.here], cut.low[cut.here], cut.high[cut.here])
        assert found == pytest.approx((mean, low[0], high[0]))
        assert (np.diff([cut.low, cut.mean, cut.high], axis=0) > 0).all()


def test_a_slice_meets_what_was_measured(space, foresight, observed) -> None:
    """Through a configuration that was measured almost without noise, the mean is the measured outcome."""
    configuration = space.decode(observed.X).iloc[4].to_dict()
    for cut in Cutter(space, foresight, configuration).slices():
        assert cut.mean[cut.here] == pytest.approx(observed.y[4], abs=1.0)


def test_a_map_holds_its_slices(cutter) -> None:
    """The row and the column of a map through the proposal are the means of the slices there."""
    (pair,) = cutter.maps(["time", "catalyst"])
    cuts = {cut.parameter: cut for cut in cutter.slices()}
    mean, (i, j) = np.array(pair.mean), pair.here
    assert pair.parameters == ("time", "catalyst") and mean.shape == (len(pair.upwards), len(pair.across))
    assert mean[:, i] == pytest.approx(np.array(cuts["catalyst"].mean))
    along = cuts["time"]
    assert np.interp(np.array(pair.across, float), np.array(along.values, float), along.mean) == pytest.approx(
        mean[j], abs=0.2
    )


def test_three_parameters_have_three_maps(cutter) -> None:
    """All pairs of the three that matter most are mapped, in their order."""
    found = [pair.parameters for pair in cutter.maps(["temperature", "catalyst", "time"])]
    assert found == [("temperature", "catalyst"), ("temperature", "time"), ("catalyst", "time")]


class Flat:
    """A belief that foresees the sum of the coordinates, and remembers what it was asked."""

    def at(self, X: np.ndarray):
        return type("Seen", (), {"mean": X.sum(1)})

    def interval(self, X: np.ndarray):
        return X.sum(1) - 1, X.sum(1) + 1


def space_of(parameters: list, constraints: list) -> SearchSpace:
    """A free space."""
    data = {"name": "lab", "parameters": parameters, "objectives": [{"name": "y"}], "constraints": constraints}
    return SearchSpace.from_spec(CampaignSpec.from_mapping(data))


def test_a_simplex_keeps_its_total() -> None:
    """Along one ingredient the others go down in proportion, so that every configuration of a slice is allowed."""
    names = ["a", "b", "c"]
    parameters = [{"name": name, "type": "continuous", "bounds": [0, 1]} for name in names]
    space = space_of(parameters, [{"type": "simplex", "parameters": names, "total": 1.0}])
    cutter = Cutter(space, Flat(), {"a": 0.2, "b": 0.2, "c": 0.6})
    frame = cutter._varied({"a": [0.2, 0.6, 1.0]})
    assert frame.to_numpy() == pytest.approx(np.array([[0.2, 0.2, 0.6], [0.6, 0.1, 0.3], [1.0, 0.0, 0.0]]))
    assert all(all(cut.is_allowed) for cut in cutter.slices())


def test_what_is_not_allowed_is_marked() -> None:
    """A slice goes on where a constraint is broken, and says so."""
    parameters = [{"name": name, "type": "continuous", "bounds": [0, 1]} for name in "ab"]
    space = space_of(parameters, ["a + b <= 1"])
    first, _ = Cutter(space, Flat(), {"a": 0.2, "b": 0.6}).slices()
    assert [value <= 0.4 + 1e-9 for value in first.values] == list(first.is_allowed)


def test_long_lists_are_cut_around_the_proposal() -> None:
    """Of a hundred categories as many are shown as can be read, the proposal's among them."""
    values = [f"L{i:03d}" for i in range(100)]
    space = space_of([{"name": "ligand", "type": "categorical", "values": values}], [])
    for own in ("L000", "L050", "L099"):
        (cut,) = Cutter(space, Flat(), {"ligand": own}).slices()
        assert len(cut.values) == N_LISTED and cut.values[cut.here] == own
