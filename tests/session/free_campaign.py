"""A campaign in a free space of a temperature and a ligand, and four measurements of it."""

import pandas as pd

HEAT = {"name": "heat", "type": "continuous", "bounds": [0, 100]}
LIGAND = {"name": "ligand", "type": "categorical", "values": ["A", "B", "C"]}
SALT = {"name": "salt", "type": "categorical", "values": ["none", "LiCl"]}
FREE = {
    "name": "free",
    "parameters": [HEAT, LIGAND],
    "outcomes": [{"name": "yield", "range": [0, 100]}],
    "objectives": [{"name": "yield"}],
    "acquisition": {"batch_size": 2},
    "budget": {"experiments": 6},
    "review": {"mode": "required"},
}
ROWS = pd.DataFrame(
    {"heat": [10.0, 40.0, 70.0, 95.0], "ligand": ["A", "B", "A", "C"], "yield": [20.0, 60.0, 50.0, 90.0]}
)
