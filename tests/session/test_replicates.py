"""Replicate spread is the pooled standard deviation within configurations."""

import numpy as np
import pandas as pd
import pytest

from discovery.session.replicates import replicate_spread


def test_the_spread_is_pooled_over_configurations() -> None:
    """Two and three replicates are weighed by their degrees of freedom; single ones and bounds say nothing."""
    rows = pd.DataFrame({"key": list("aabbbcd"), "y": [1.0, 3.0, 10.0, 12.0, 14.0, 7.0, np.nan]})
    found = replicate_spread(rows, "y")
    assert found is not None
    assert (found.sd, found.n_configurations, found.n_measurements) == (pytest.approx(np.sqrt((2 + 8) / 3)), 2, 5)
    assert (
        found.sentence("y", " %")
        == "Replicates of y differ by a standard deviation of 1.83 % (5 measurements of 2 configurations)."
    )
    assert replicate_spread(rows.assign(y_limit=["", "<", "", "<", "<", "", ""]), "y") is None
    assert replicate_spread(rows.tail(2), "y") is None
