"""The campaign file for any of the measured protein targets: its molecules are the candidates, other targets its past.

`data/campaigns/molecules/chembl1862_ki.yaml` is what `chembl_campaign()` returns. The library's own loader reads it.
"""

from __future__ import annotations

import os
from pathlib import Path

from discovery.errors import ConfigurationError

FOLDER = Path(__file__).with_name("campaigns") / "molecules"
TABLES = Path(__file__).with_name("chembl")

# The first file by name, a rule that was fixed before any result was seen.
DEFAULT_TARGET = "chembl1862_ki"

TEMPLATE = """\
# Molecules tested against one protein, as candidates of a new campaign; {n_history} other targets are its
# history. Written by data/chembl_campaigns.py; source, license and units stand in data/manifest.json.
name: {target}
parameters:
  - {{name: smiles, type: molecule}}
outcomes:
  - {{name: p_activity, unit: "-log10(mol/L)"}}
objectives:
  - {{name: p_activity, goal: maximize}}
candidates: {table}
experience:
  history:
{history}
acquisition: {{name: log_ei, batch_size: 10}}
budget: {{experiments: 60, initial: 10}}
experiment: {{type: table, path: {table}}}
review: {{mode: auto}}
seed: 0
"""


def targets() -> list[str]:
    """Return the names of all measured targets, sorted."""
    return sorted(path.stem for path in TABLES.glob("*.parquet"))


def chembl_campaign(target: str = DEFAULT_TARGET, folder: Path = FOLDER, *, leave_protein_out: bool = False) -> str:
    """Return the campaign file of one target.

    Args:
        target: Stem of the table that is new.
        folder: Where the file will stand; paths in it are relative to this folder.
        leave_protein_out: Leave other measures on the same protein out of the history as well.

    Returns:
        YAML text.

    Raises:
        ConfigurationError: If there is no such target.
    """
    known = targets()
    if target not in known:
        raise ConfigurationError(f"The target must be one of {len(known)}; got {target!r}.", f"One is {known[0]}.")
    past = [name for name in known if name != target]
    if leave_protein_out:
        past = [name for name in past if name.partition("_")[0] != target.partition("_")[0]]
    paths = {name: Path(os.path.relpath(TABLES / f"{name}.parquet", folder)).as_posix() for name in known}
    history = "\n".join(f"    - {paths[name]}" for name in past)
    return TEMPLATE.format(target=target, table=paths[target], n_history=len(past), history=history)


def write_chembl_campaign(path: Path, target: str = DEFAULT_TARGET, *, leave_protein_out: bool = False) -> Path:
    """Write the campaign file of one target and return its path.

    Raises:
        ConfigurationError: If there is no such target.
    """
    text = chembl_campaign(target, path.parent, leave_protein_out=leave_protein_out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
