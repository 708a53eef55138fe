"""Spaces that every simulator is tried on."""

from pathlib import Path

import pytest
import torch

from discovery.campaign import CampaignSpec
from discovery.space import SearchSpace

TEMPERATURE = {"name": "temperature", "type": "continuous", "bounds": [30, 110], "unit": "degC"}
TIME = {"name": "residence_time", "type": "continuous", "bounds": [0, 60], "unit": "min"}
LOADING = {"name": "loading", "type": "continuous", "bounds": [0.5, 2.5], "unit": "mol%", "scale": "log"}
LIGAND = {"name": "ligand", "type": "categorical", "values": ["L1", "L2", "L3", "L4"]}
BASE = {"name": "base", "type": "categorical", "values": ["K3PO4", "DBU", "TEA"]}
SOLVENT = {"name": "solvent", "type": "categorical", "values": ["THF", "DMF", "MeCN"], "descriptors": "solvents.csv"}
EQUIVALENTS = {"name": "equivalents", "type": "discrete", "values": [1, 1.5, 2]}
STIRRING = {"name": "stirring", "type": "continuous", "bounds": [200, 900]}
SPACES = {
    "one-hot": [LIGAND, BASE],
    "numbers": [TEMPERATURE, TIME, LOADING],
    "mixed": [LIGAND, BASE, TEMPERATURE, TIME, LOADING, EQUIVALENTS, STIRRING],
    "descriptors": [SOLVENT, LIGAND, TEMPERATURE],
}


@pytest.fixture
def make_space(tmp_path: Path):
    """Return a function from parameters to a space."""
    (tmp_path / "solvents.csv").write_text("solvent,polarity,boiling\nTHF,4,66\nDMF,6.4,153\nMeCN,5.8,82\n")

    def make(parameters, **keys) -> SearchSpace:
        mapping = {"name": "c", "parameters": parameters, "objectives": [{"name": "yield"}], **keys}
        return SearchSpace.from_spec(CampaignSpec.from_mapping(mapping, base_dir=tmp_path))

    return make


@pytest.fixture(params=SPACES, ids=str)
def space(request, make_space) -> SearchSpace:
    """Each of the spaces in turn."""
    return make_space(SPACES[request.param])


@pytest.fixture
def mixed(make_space) -> SearchSpace:
    """The space with everything in it."""
    return make_space(SPACES["mixed"])


@pytest.fixture
def seeded():
    """Return a function from a seed to a torch generator."""
    return lambda seed: torch.Generator().manual_seed(seed)
