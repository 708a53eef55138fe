"""A formula means its fractions, however it is written; what is no formula is refused with the reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.space.elements import ELEMENTS
from discovery.space.formulas import fractions_of, read_formula

AMOUNTS = st.dictionaries(st.sampled_from(sorted(ELEMENTS)), st.integers(1, 1000), min_size=1, max_size=6)


def written(amounts):
    return "".join(f"{symbol}{amount:g}" for symbol, amount in amounts.items())


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("Co0.3Fe0.7", "Fe0.7Co0.3"),
        ("Fe70Co30", "Fe0.7Co0.3"),
        ("Fe7 Co3", "Fe0.7Co0.3"),
        ("LiFePO4", "LiFePO4"),
        ("(Ba0.5Sr0.5)TiO3", "BaSrTi2O6"),
        ("Al2(SO4)3", "Al2S3O12"),
        ("[Co(NH3)6]Cl3", "CoH18N6Cl3"),
        ("H₂O", "H2O"),
        ("CoCrNi", "CrCoNi"),
        ("Fe2O3Co0", "Fe2O3"),
        ("Fe", "Fe"),
        ("Li1.2Ni0.13Mn0.54Co0.13O2", "Li0.3Mn0.135Co0.0325Ni0.0325O0.5"),
    ],
)
def test_a_formula_is_written_in_one_way(text, formula):
    """Brackets, percentages, order and subscripts are ways of writing; compounds have whole numbers, alloys parts."""
    assert read_formula(text) == (formula, "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Xx2O3", "Xx is none"),
        ("HeFe", "He is none"),
        ("(FeCo", "close the brackets"),
        ("FeCo)", "only brackets that it opens"),
        ("3Fe", "such as Fe0.7Co0.3"),
        ("fe", "such as Fe0.7Co0.3"),
        ("Fe-0.3", "such as Fe0.7Co0.3"),
        ("CuSO4·5H2O", "such as Fe0.7Co0.3"),
        ("Fe0.3.7", "such as Fe0.7Co0.3"),
        ("Fe0", "amount above 0"),
        ("()", "amount above 0"),
    ],
)
def test_what_is_no_formula_is_refused_with_the_reason(text, reason):
    """No amount is guessed and no element invented."""
    formula, said = read_formula(text)
    assert not formula and said.startswith("must") and reason in said


@given(AMOUNTS, st.randoms(use_true_random=False), st.sampled_from([1, 2, 5, 10]))
def test_order_and_scale_change_nothing(amounts, random, factor):
    """Elements in any order and amounts in any unit are one composition; its formula stands for itself."""
    symbols = list(amounts)
    random.shuffle(symbols)
    formula, _ = read_formula(written(amounts))
    assert read_formula(written({symbol: factor * amounts[symbol] for symbol in symbols})) == (formula, "")
    assert read_formula(formula) == (formula, "")


@given(AMOUNTS)
def test_fractions_are_kept_to_a_millionth(amounts):
    """What the canonical formula says is what was written, and adds up to one."""
    found, total = fractions_of(read_formula(written(amounts))[0]), sum(amounts.values())
    assert sum(found.values()) == pytest.approx(1.0, abs=1e-12)
    for symbol, amount in amounts.items():
        assert found.get(symbol, 0.0) == pytest.approx(amount / total, abs=1.01e-6)


def test_a_bracket_multiplies_what_it_holds():
    """Nested brackets multiply through: (A(BC2)2)3 is A3 B6 C12."""
    assert fractions_of(read_formula("(Al(SiO2)2)3")[0]) == pytest.approx({"Al": 1 / 7, "Si": 2 / 7, "O": 4 / 7})
