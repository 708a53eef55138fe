"""Tables that no package publishes: kept here as they were prepared, described by hand, and never made again.

`data.make` writes what stands here into the manifest beside the families that it makes, with the digests of the files
as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from discovery.errors import InputError


@dataclass(frozen=True)
class KeptFamily:
    """Tables that are kept as they are.

    Attributes:
        name: Name of the folder.
        title: One line for people.
        source: Where the rows were taken from: repository, commit, file.
        license: License of the rows.
        notice: Who holds the copyright.
        citation: Who measured.
        columns: Meaning and unit of every column.
        notes: How rows were chosen, and what a user has to know before believing a result.
    """

    name: str
    title: str
    source: Mapping[str, str]
    license: str
    notice: str
    citation: str
    columns: Mapping[str, str]
    notes: tuple[str, ...]

    def tables(self, folder: Path) -> dict[str, pd.DataFrame]:
        """Read the tables out of the data folder, by their path in it.

        Raises:
            InputError: If there is none.
        """
        paths = sorted((folder / self.name).glob("*.csv"))
        if not paths:
            raise InputError(
                f"Tables that no package publishes must be in the data folder; got none at {folder / self.name}.",
                "Take the folder from the repository.",
            )
        return {f"{self.name}/{path.name}": pd.read_csv(path, keep_default_na=False) for path in paths}


KEPT = (
    KeptFamily(
        name="electrolytes",
        title="Conductivity of solutions of LiPF6 and LiBF4 in carbonates, at temperatures from 194 to 332 K",
        source={
            "repository": "github.com/Kyeongbin-Tom/calisol23-ionic-conductivity",
            "commit": "4f7ac3b0b2203f1c3e9138a891d6456541d5bb87",
            "member": "data/calisol23.xlsx",
        },
        license="CC BY 4.0",
        notice="Copyright de Blasio, Elsborg, Vegge, Flores, Bhowmik (2024)",
        citation=(
            "de Blasio, Elsborg, Vegge, Flores, Bhowmik, Sci. Data 11, 750 (2024), who collected it from "
            "doi 10.1149/1.1566019, 10.1149/1.1630593, 10.1021/je020219o, 10.1021/je0498863"
        ),
        columns={
            "salt": "lithium salt, formula",
            "EC": "mass fraction of ethylene carbonate in the solvent, 0 to 1",
            "PC": "mass fraction of propylene carbonate in the solvent, 0 to 1",
            "salt_concentration": "salt, mol/kg of solvent",
            "temperature": "temperature, K",
            "conductivity": "ionic conductivity, mS/cm",
        },
        notes=(
            "Of the 26 systems of salt and solvents these four: both salts in EC and PC together, and in PC alone.",
            "Points lie on smooth grids of temperature, fraction and concentration; a series has no replicates.",
            "Numbers have six significant digits; nothing else was changed. Conductivity rises with temperature.",
        ),
    ),
)
