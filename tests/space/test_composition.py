"""Compositions are encoded by fractions and by weighted means of elemental properties, scaled over the candidates."""

import sys

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError, InputError, NotSupportedError
from discovery.space import CandidatePool, SearchSpace, composition
from discovery.space.elemental import PROPERTIES, SYMBOLS, elemental_table, weighted_means
from discovery.tasks import read_history

MASSES = {"H": 1.008, "Li": 6.94, "O": 15.999, "Fe": 55.845, "Co": 58.933, "Ni": 58.693, "Cu": 63.546}  # IUPAC 2021
FORMULAS = ["Fe0.7Co0.3", "Fe0.3Co0.7", "Fe0.5Ni0.5", "Fe0.2Co0.3Ni0.5", "Cu0.1Fe0.9", "Ni"]


def campaign(folder, formulas=FORMULAS, **changes):
    """A campaign that chooses a composition and a temperature."""
    rows = pd.DataFrame({"alloy": formulas, "temperature": np.linspace(0, 100, len(formulas))})
    rows.to_csv(folder / "pool.csv", index=False)
    data = {
        "name": "c",
        "parameters": [
            {"name": "alloy", "type": "composition"},
            {"name": "temperature", "type": "continuous", "bounds": [0, 100]},
        ],
        "objectives": [{"name": "y"}],
        "candidates": "pool.csv",
        **changes,
    }
    return CampaignSpec.from_mapping(data, base_dir=folder)


@pytest.mark.parametrize(("symbol", "mass"), MASSES.items())
def test_elements_have_the_masses_that_everybody_knows(symbol, mass):
    """The table's rows and columns are what they are called."""
    column = PROPERTIES.index("atomic weight (u)")
    assert elemental_table()[SYMBOLS.index(symbol), column] == pytest.approx(mass, abs=2e-3)


@pytest.mark.parametrize(
    ("symbol", "electrons"), [("Fe", (2, 0, 6, 0)), ("O", (2, 4, 0, 0)), ("H", (1, 0, 0, 0)), ("Ce", (2, 0, 1, 1))]
)
def test_valence_electrons_are_counted(symbol, electrons):
    """Electrons outside the noble-gas core, by shell."""
    row = elemental_table()[SYMBOLS.index(symbol)]
    assert tuple(row[[PROPERTIES.index(f"valence {shell} electrons") for shell in "spdf"]]) == electrons


def test_means_and_spreads_have_closed_forms():
    """Water: mean mass (2 H + O) / 3, spread sqrt(2) / 3 times the difference; one element alone has no spread."""
    column = PROPERTIES.index("atomic weight (u)")
    means, spreads = weighted_means([{"H": 2 / 3, "O": 1 / 3}, {"Fe": 1.0}])
    h, o = (elemental_table()[SYMBOLS.index(symbol), column] for symbol in "HO")
    assert means[0, column] == pytest.approx((2 * h + o) / 3)
    assert spreads[0, column] == pytest.approx(np.sqrt(2) / 3 * (o - h))
    np.testing.assert_allclose(means[1], elemental_table()[SYMBOLS.index("Fe")])
    np.testing.assert_array_equal(spreads[1], 0.0)


def test_fractions_are_scaled_over_the_candidates(tmp_path):
    """An element's coordinate runs from 0 to 1 over the candidates; elements stand in the order of their symbols."""
    space = SearchSpace.from_spec(campaign(tmp_path))
    codec, block = space.codecs[0], space.blocks[0]
    assert codec.fractions.names == ("Co", "Cu", "Fe", "Ni")
    X = space.encode(pd.DataFrame({"alloy": FORMULAS, "temperature": 0.0}))
    np.testing.assert_allclose(X[0, block.start : block.stop], [0.3 / 0.7, 0, 0.7 / 0.9, 0], atol=1e-12)
    assert X.min() == 0.0 and X.max() == 1.0
    assert [b.kind for b in space.blocks] == ["composition", "composition", "continuous"]


def test_properties_that_say_the_same_are_left_out(tmp_path):
    """No two columns of properties correlate more than allowed over the candidates, and each of them varies."""
    space = SearchSpace.from_spec(campaign(tmp_path))
    block = space.blocks[1]
    X = space.encode(pd.DataFrame({"alloy": FORMULAS, "temperature": 0.0}))[:, block.start : block.stop]
    correlations = np.abs(np.corrcoef(X, rowvar=False)) - np.eye(X.shape[1])
    assert X.shape[1] >= 2 and correlations.max() <= composition.SAME
    np.testing.assert_allclose(np.ptp(X, axis=0), 1.0)


def test_ways_of_writing_are_one_candidate(tmp_path):
    """Order and unit of the amounts change neither key nor coordinates, and the pool holds each composition once."""
    spec = campaign(tmp_path, ["Fe0.7Co0.3", "Co30Fe70", "Co3 Fe7", "Fe0.5Co0.5"])
    space = SearchSpace.from_spec(spec)
    frame = pd.DataFrame({"alloy": ["Fe0.7Co0.3", "Co30Fe70"], "temperature": 5.0})
    assert space.keys(frame) == ['alloy="Fe0.7Co0.3"; temperature=5'] * 2
    np.testing.assert_array_equal(*space.encode(frame))
    pool = CandidatePool.from_spec(spec, space)
    assert pool.frame["alloy"].tolist() == ["Fe0.7Co0.3"] * 3 + ["Fe0.5Co0.5"]  # temperatures tell the three apart


def test_points_decode_to_the_nearest_candidate(tmp_path):
    """Encoding and decoding a candidate gives its canonical formula."""
    space = SearchSpace.from_spec(campaign(tmp_path))
    frame = pd.DataFrame({"alloy": FORMULAS, "temperature": 50.0})
    assert space.decode(space.encode(frame))["alloy"].tolist() == space.typed(frame)["alloy"].tolist()


def test_the_order_of_candidates_is_no_part_of_the_encoding(tmp_path):
    """Rows in another order give the same space; another range of compositions gives another."""
    one = SearchSpace.from_spec(campaign(tmp_path)).schema_hash
    assert SearchSpace.from_spec(campaign(tmp_path, FORMULAS[::-1])).schema_hash == one
    assert SearchSpace.from_spec(campaign(tmp_path, [*FORMULAS, "Cu"])).schema_hash != one


@pytest.mark.parametrize("text", ["Fe0.7Co0.3", "Co3 Fe7"])
def test_an_excluded_formula_is_found_however_it_is_written(tmp_path, text):
    """The candidate of that composition is left out; what is no formula is refused."""
    spec = campaign(tmp_path, constraints=[{"type": "exclude", "when": {"alloy": text}}])
    pool = CandidatePool.from_spec(spec, SearchSpace.from_spec(spec))
    assert pool.n_infeasible == 1 and "Fe0.7Co0.3" not in set(pool.frame["alloy"])
    with pytest.raises(InputError, match="Xx is none; got 'Xx2'"):
        SearchSpace.from_spec(campaign(tmp_path, constraints=[{"type": "exclude", "when": {"alloy": "Xx2"}}]))


def test_a_wrong_formula_is_refused_with_file_and_row(tmp_path):
    """The message names the cell."""
    spec = campaign(tmp_path, ["Fe0.7Co0.3", "Fe0.5Qq0.5"])
    with pytest.raises(InputError, match=r"Qq is none; got 'Fe0.5Qq0.5' at data row 2 of .*pool.csv"):
        SearchSpace.from_spec(spec)


def test_history_may_hold_other_elements(tmp_path):
    """Formulas beyond the candidates are placed by their properties; one that cannot be read keeps only its row out."""
    old = pd.DataFrame({"alloy": ["Mn0.5Fe0.5", "nonsense", "Fe0.7Co0.3"], "temperature": 10.0, "y": [1.0, 2.0, 3.0]})
    old.to_csv(tmp_path / "old.csv", index=False)
    spec = campaign(tmp_path, experience={"history": ["old.csv"]})
    space = SearchSpace.from_spec(spec)
    history = read_history(spec.experience.history, spec, space)
    (task,) = history.tasks
    assert task.n_points == 2 and history.n_dropped == {"old.csv": 1}
    assert np.isfinite(task.X).all() and not np.allclose(task.X[0], task.X[1])
    np.testing.assert_allclose(task.X[1], space.encode(old[2:])[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"candidates": None}, "candidates: formulas that are not listed are not supported"),
        ({"experience": {"simulators": [{"name": "gp_prior"}]}}, "gp_prior on compositions is not supported"),
    ],
)
def test_what_compositions_cannot_do_is_refused(tmp_path, changes, message):
    """No list, and simulators, which know no compositions."""
    with pytest.raises(NotSupportedError, match=message):
        SearchSpace.from_spec(campaign(tmp_path, **changes))


def test_one_composition_is_nothing_to_choose_from(tmp_path):
    """A column in which all candidates are one composition is refused."""
    with pytest.raises(ConfigurationError, match=r"at least two compositions in 'alloy'; got Fe0.7Co0.3 alone"):
        SearchSpace.from_spec(campaign(tmp_path, ["Fe0.7Co0.3", "Co3Fe7"]))


def test_the_message_without_the_package_says_how_to_install_it(tmp_path, monkeypatch):
    """Where mendeleev is absent, the sentence names the extra."""
    monkeypatch.setitem(sys.modules, "mendeleev.fetch", None)
    elemental_table.cache_clear()
    with pytest.raises(ConfigurationError) as caught:
        SearchSpace.from_spec(campaign(tmp_path))
    assert "mendeleev" in caught.value.message and "discovery-pipeline[materials]" in caught.value.hint
