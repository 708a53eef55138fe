"""Promises of `discovery.space.descriptors`: categories become numbers that tell them apart, or the file is refused."""

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError, InputError
from discovery.space import SearchSpace
from discovery.space.descriptors import read_table

TABLE = """ligand,cone,smiles,charge,bite
other,500,C,9,9
B,170,CC,0,1
A,130,CCC,0,3
C,150,CCCC,0,2
"""


@pytest.fixture
def build(tmp_path):
    def build_space(text=TABLE, name="ligand", values=("A", "B", "C")):
        (tmp_path / "ligands.csv").write_text(text)
        parameter = {"name": name, "type": "categorical", "values": list(values), "descriptors": "ligands.csv"}
        data = {"name": "c", "parameters": [parameter], "objectives": [{"name": "y"}]}
        return SearchSpace.from_spec(CampaignSpec.from_mapping(data, tmp_path))

    return build_space


def test_descriptors_are_scaled_over_the_listed_categories(build):
    """Numbers are scaled to the unit interval; text, constant columns and other rows are left out."""
    X = build().encode(pd.DataFrame({"ligand": ["A", "B", "C"]}))
    assert np.allclose(X, [[0, 1], [1, 0], [0.5, 0.5]])


def test_the_category_may_stand_in_the_first_column(build):
    """The first column holds the category where none is named like the parameter."""
    assert build(name="catalyst").n_dims == 2


def test_points_decode_to_the_nearest_category(build):
    """The category with the nearest descriptors is taken."""
    frame = build().decode(np.array([[0.1, 0.8], [0.9, 0.2], [0.4, 0.6]]))
    assert frame["ligand"].tolist() == ["A", "B", "C"]


def test_the_hash_follows_the_descriptors(build):
    """Other descriptors are another space."""
    assert build().schema_hash == build().schema_hash != build(TABLE.replace("150", "155")).schema_hash


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("C,150", "D,150", "must describe every category; missing 'C'"),
        ("other,500", "A,500", "must not repeat 'A'"),
        ("A,130", "A,", "must have a number for every category; got '' at 'A', 'cone'"),
        ("A,130", "A,wide", "got 'wide' at 'A', 'cone'"),
        ("C,150,CCCC,0,2", "C,130,CCCC,0,3", "must tell all categories of 'ligand' apart; 'A' and 'C' are equal"),
    ],
)
def test_descriptors_that_do_not_fit_are_refused(build, old, new, message):
    """The file, the category and the column are named."""
    with pytest.raises(ConfigurationError, match=message):
        build(TABLE.replace(old, new))


def test_descriptors_without_numbers_are_refused(build):
    """A file of text alone tells no categories apart."""
    with pytest.raises(ConfigurationError, match="must tell all categories"):
        build("ligand,smiles\nA,C\nB,CC\nC,CCC\n")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "cannot be read"),
        ("t.csv", b"a,b\n", "at least one data row"),
        ("t.csv", b"a,b\n1,2,3\n", "cannot be read"),
        ("t.csv", b"a,a\n1,2\n", "must not repeat a column; got 'a' twice"),
        ("t.csv", b"a\n\xff\xfe\n", "cannot be read"),
        ("t.parquet", b"no parquet", "cannot be read"),
        ("t.xlsx", b"", "must be a .csv or .parquet file"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, name, content, message):
    """Damaged and foreign files give one sentence with their name."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_table(path)
    assert name in str(caught.value)


def test_an_absent_table_is_refused(tmp_path):
    """A path without a file gives one sentence."""
    with pytest.raises(InputError, match="cannot be read"):
        read_table(tmp_path / "t.csv")


def test_cells_of_a_csv_stay_text(tmp_path):
    """`NA`, `None`, `01` and `true` survive, with or without a byte order mark, and blank cells are empty."""
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfa, b \nNA,01\nNone,\ntrue,1e3\n")
    frame = read_table(path)
    assert frame.columns.tolist() == ["a", "b"]
    assert frame.to_numpy().tolist() == [["NA", "01"], ["None", ""], ["true", "1e3"]]
