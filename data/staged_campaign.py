"""The table of the staged example: molecules of one target whose binding and function were both measured.

`data/campaigns/staged_assay.csv` is what `staged_table()` returns; its campaign file stands beside it.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

TABLES = Path(__file__).with_name("chembl")
TABLE = Path(__file__).with_name("campaigns") / "staged_assay.csv"
BINDING, FUNCTION = "chembl237_ki", "chembl237_ec50"


def staged_table() -> pd.DataFrame:
    """Return the molecules that were measured in both assays of the kappa opioid receptor, in order of their SMILES.

    Returns:
        Columns `smiles`, `pki` (binding, -log10 of Ki) and `pec50` (function, -log10 of EC50), both in mol/L.
    """
    binding, function = (pd.read_parquet(TABLES / f"{name}.parquet") for name in (BINDING, FUNCTION))
    both = binding.rename(columns={"p_activity": "pki"})[["smiles", "pki"]].merge(
        function.rename(columns={"p_activity": "pec50"})[["smiles", "pec50"]], on="smiles", validate="one_to_one"
    )
    return both.sort_values("smiles").reset_index(drop=True)


def write_staged_table(path: Path = TABLE) -> Path:
    """Write the table and return its path."""
    path.write_text(staged_table().to_csv(index=False, lineterminator="\n"), encoding="utf-8")
    return path
