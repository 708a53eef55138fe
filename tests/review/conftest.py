"""A belief after some measurements of the small mixed space, and a proposal of it."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from discovery.belief.records import mix
from discovery.campaign import Objective
from discovery.cycle import Observations, adapt
from discovery.meta.scale import OutcomeScale
from discovery.review.explanation import Scene
from discovery.review.foresight import Foresight
from discovery.store import ProposalRow

N_MEASURED = 9


@pytest.fixture(scope="session")
def observed(space, surface) -> Observations:
    """Nine measurements, almost without noise."""
    X = space.sample(N_MEASURED, np.random.default_rng(11))
    frame = space.decode(X)
    return Observations(space.encode(frame), surface(X), np.full(N_MEASURED, 1e-4), tuple(space.keys(frame)))


@pytest.fixture(scope="session")
def belief(cold_and_history, observed):
    """No transfer and history after the measurements."""
    return adapt(cold_and_history(OutcomeScale(50.0, 25.0, "range"), (0.3, 0.7)), observed)


@pytest.fixture(scope="session")
def foresight(belief, observed) -> Foresight:
    """The belief, of an outcome that is to be high."""
    return Foresight.of(belief, Objective(name="yield"), observed.y)


@pytest.fixture(scope="session")
def make_proposal(space, belief):
    """Return a function that makes the proposal of a configuration."""
    import torch

    def make(configuration: dict, **changes) -> ProposalRow:
        x = space.encode(pd.DataFrame([configuration]))
        (said,) = belief.predict(torch.as_tensor(x))
        overall = mix(said)
        data = {
            "proposal_id": "small-c002-00",
            "campaign": "small",
            "cycle": 2,
            "position": 0,
            "status": "PROPOSED",
            "configuration": configuration,
            "proposed": configuration,
            "key": space.keys(pd.DataFrame([configuration]))[0],
            "X": tuple(x[0].tolist()),
            "row": None,
            "predictions": said,
            "mean": overall.mean,
            "sd": overall.sd,
            "acqf_name": "log_ei",
            "acqf_value": 0.0,
            "argued_by": "history",
            "argument": {"history": 0.8, "no_transfer": 0.2},
            "is_exploring": False,
            "n_measurements": N_MEASURED,
            "seed": 5,
            "created_at": datetime.now(UTC),
        }
        return ProposalRow(**{**data, **changes})

    return make


@pytest.fixture(scope="session")
def scene(small_spec, space, foresight, observed) -> Scene:
    """What the proposal was made from."""
    measured = space.decode(observed.X).assign(
        measurement_id=[f"small-m{i:04d}" for i in range(N_MEASURED)], proposal_id=None, **{"yield": observed.y}
    )
    return Scene(small_spec, space, None, foresight, observed, measured)
