"""From published tables to tasks, on tables small enough to check by eye."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.families import FAMILIES, buchwald_hartwig, chembl, compounds, numbers, slug, suzuki_perera, suzuki_reizman
from discovery.errors import InputError

BUCHWALD = pd.DataFrame(
    {
        "ligand": ["CC(C)C(C=C(C(C)C)C=C1C(C)C)=C1C2=C(P(C3CCCCC3)C4CCCCC4)C=CC=C2"] * 3,
        "additive": ["CC1=NOC=C1", "CC1=CC(C)=NO1", "CC1=NOC=C1"],
        "base": ["CN1CCCN2C1=NCCC2"] * 3,
        "aryl halide": ["BrC1=NC=CC=C1", "BrC1=NC=CC=C1", "IC1=CC=C(OC)C=C1"],
        "rxn": ["", "", ""],
        "yield": ["70.41045785", "0", "11.06445724"],
    }
)
PERERA = pd.DataFrame(
    {
        "reactant_1_smiles": ["C1=C(Cl)C=CC2=NC=CC=C12.CCC1=CC(=CC=C1)CC"] * 2,
        "reactant_2_smiles": ["CC1=CC=C2C(C=NN2C3OCCCC3)=C1B(O)O"] * 2,
        "ligand_smiles": ["", "C1(CCCCC1)P(C2CCCCC2)C3CCCCC3"],
        "reagent_1_smiles": ["[OH-].[Na+]", ""],
        "solvent_1_smiles": ["CC#N.O", "CO.O"],
        "yield": ["0.047641092184596195", "1"],
    }
)
REIZMAN = pd.DataFrame(
    {
        "NAME": ["TYPE", "0", "1"],
        "catalyst": ["DATA", "P1-L3", "P1-L3"],
        "t_res": ["DATA", "600", "60"],
        "temperature": ["DATA", "110", "30"],
        "catalyst_loading": ["DATA", "0.498", "2.515"],
        "ton": ["DATA", "1.1", "0.2"],
        "yld": ["DATA", "0.6", "98.7"],
    }
)


def test_buchwald_hartwig_gives_one_task_per_halide():
    """Rows go to the table of their aryl halide, with names for SMILES and rows in order of the configuration."""
    tables = buchwald_hartwig({"DreherDoyle": BUCHWALD})
    assert {name for name in tables if "/" not in name} == {"2_bromopyridine", "1_iodo_4_methoxybenzene"}
    assert tables["2_bromopyridine"].to_dict("list") == {
        "ligand": ["XPhos", "XPhos"],
        "base": ["MTBD", "MTBD"],
        "additive": ["3,5-dimethylisoxazole", "3-methylisoxazole"],
        "yield": [0.0, 70.4105],
    }


def test_a_compound_without_a_name_is_refused():
    """A SMILES that names.csv does not hold is an input error with SMILES and row."""
    with pytest.raises(InputError, match="got 'CCO' at row 1"):
        buchwald_hartwig({"DreherDoyle": BUCHWALD.assign(additive="CCO")})


def test_suzuki_perera_is_in_percent():
    """Fractions become percent, and an empty ligand or base is the category none."""
    tables = suzuki_perera({"SuzukiMiyaura": PERERA})
    assert tables["6_chloroquinoline_boronic_acid_2a"].to_dict("list") == {
        "ligand": ["P(Cy)3", "none"],
        "base": ["none", "NaOH"],
        "solvent": ["MeOH", "MeCN"],
        "yield": [100.0, 4.76411],
    }


def test_suzuki_reizman_keeps_the_order_of_the_rows():
    """The row of types is dropped, the turnover number left out, and rows stay in the order of the source."""
    tables = suzuki_reizman({"reizman_suzuki_case_2": REIZMAN})
    assert tables["case_2"].to_dict("list") == {
        "catalyst": ["P1-L3", "P1-L3"],
        "residence_time": [600.0, 60.0],
        "temperature": [110.0, 30.0],
        "catalyst_loading": [0.498, 2.515],
        "yield": [0.6, 98.7],
    }


def test_chembl_potency_is_per_mole_and_higher_is_more_potent():
    """500 nmol/L, which the source writes as -log10(500), becomes 9 - log10(500) = 6.30103."""
    raw = pd.DataFrame({"smiles": ["CC", "C"], "exp_mean [nM]": ["500.0", "1.0"], "y": [str(-math.log10(500)), "0"]})
    table = chembl({"CHEMBL1_Ki": raw})["chembl1_ki"]
    assert table.to_dict("list") == {"smiles": ["C", "CC"], "p_activity": [9.0, 6.30103]}


@given(st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1))
def test_rounding_keeps_six_digits_and_is_done_once(values):
    """Rounding changes a number by at most half of its sixth digit, and rounding again changes nothing."""
    once = numbers(pd.Series(values))
    assert once.tolist() == pytest.approx(values, rel=5.01e-6)
    assert numbers(once).tolist() == once.tolist()


@pytest.mark.parametrize("cell", ["", "n/a", "inf", "<5"])
def test_a_cell_that_is_no_number_is_refused(cell):
    """Text, blanks and infinities in a column of numbers are an input error with the row."""
    with pytest.raises(InputError, match="row 2"):
        numbers(pd.Series(["1", cell], name="yield"))


@given(st.text())
def test_file_names_are_plain(text):
    """A slug holds lower-case letters, digits and underscores only, and its own slug is itself."""
    name = slug(text)
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
    assert slug(name) == name


@pytest.mark.parametrize("family", ["buchwald_hartwig", "suzuki_perera"])
def test_names_and_smiles_are_one_to_one(family):
    """Within a column no two compounds share a name and no two names share a SMILES."""
    for column, table in compounds(family).items():
        assert table[column].is_unique and table["smiles"].is_unique, column


def test_families_have_different_folders():
    """Every family has a folder of its own and tells the meaning of every column."""
    assert len({family.name for family in FAMILIES}) == len(FAMILIES) == 5
    assert all(family.columns and family.citation and family.notes for family in FAMILIES)
