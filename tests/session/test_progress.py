"""Where a campaign stands, as people read it."""

import pandas as pd

from discovery.campaign import CampaignSpec
from discovery.report.style import number
from discovery.session.progress import best_row


def test_the_best_row_has_values_of_the_parameters_kind() -> None:
    """The store keeps truths as numbers; where the best experiment is shown they are true or false again."""
    parameters = [{"name": "annealed", "type": "boolean"}, {"name": "heat", "type": "discrete", "values": [0, 1]}]
    spec = CampaignSpec.from_mapping({"name": "lab", "parameters": parameters, "objectives": [{"name": "y"}]})
    stored = {"measurement_id": ["m1", "m2"], "position": [1, 2], "annealed": [0.0, 1.0], "heat": [0.0, 1.0]}
    best = best_row(spec, pd.DataFrame({**stored, "y": [2.0, 3.0]}))
    assert best is not None and best["annealed"] is True and best["heat"] == 1.0
    assert (number(best["annealed"]), number(best["heat"])) == ("true", "1")
