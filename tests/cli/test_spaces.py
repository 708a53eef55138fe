"""`validate` says what constraints leave nothing to propose, before anything is asked for."""

from __future__ import annotations

import pytest
import yaml

PARAMETERS = [
    {"name": "heat", "type": "continuous", "bounds": [20, 120]},
    {"name": "dry", "type": "boolean"},
    {"name": "parts", "type": "discrete", "values": [0, 1, 2]},
]


@pytest.mark.parametrize(
    ("constraint", "said"),
    [
        ("heat * (1 + dry) >= 250", "none was found. The hardest to meet is (heat * (1 + dry) >= 250)"),
        ("parts + dry == 0.5", "constraints must be possible together"),
        ("heat < 30", "constraints[0] ('heat < 30') must compare with <=, >= or =="),
    ],
)
def test_constraints_that_leave_nothing_are_refused(cli, folder, constraint, said):
    """The command ends with code 1 and a sentence that names what cannot be met."""
    data = {"name": "none", "parameters": PARAMETERS, "constraints": [constraint], "objectives": [{"name": "y"}]}
    (folder / "none.yaml").write_text(yaml.safe_dump(data))
    answer = cli("validate", "none.yaml")
    assert answer.code == 1 and said in answer.err and "Traceback" not in answer.err
