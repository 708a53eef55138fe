"""Make the reference data again from the packages that publish them.

Run `python -m data.make --out data --downloads DIR` in the checkout: pip downloads four archives into `DIR` (or finds
them there), their tables become the files of this folder, and `manifest.json` records what each file is. With `--check`
nothing is written: the rows are compared with those on record.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from data.families import FAMILIES, Family
from data.kept import KEPT, KeptFamily
from data.sources import fetch, read_tables, sha256_of
from discovery.errors import DiscoveryError, InputError

MANIFEST = "manifest.json"


def csv_bytes(table: pd.DataFrame) -> bytes:
    """Return a table as CSV: UTF-8, line feeds, shortest exact numbers. Same rows, same bytes on every machine."""
    return table.to_csv(index=False, lineterminator="\n").encode()


def file_bytes(table: pd.DataFrame, suffix: str) -> bytes:
    """Return a table in the form that its suffix names."""
    if suffix == ".csv":
        return csv_bytes(table)
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, compression="zstd", compression_level=19)
    return buffer.getvalue()


def build_family(family: Family, downloads: Path) -> dict[str, pd.DataFrame]:
    """Return the tables of a family by their path in the data folder."""
    tables = family.build(read_tables(fetch(family.package, downloads), family.member, family.has_header))
    suffixes = {name: ".csv" if name.startswith("compounds/") else family.suffix for name in tables}
    return {f"{family.name}/{name}{suffixes[name]}": tables[name] for name in sorted(tables)}


def describe(family: Family, files: Mapping[str, dict[str, object]]) -> dict[str, object]:
    """Return what the manifest says about a family."""
    package = family.package
    tasks = [path for path in files if "/compounds/" not in path]
    return {
        "title": family.title,
        "source": {
            "package": package.name,
            "version": package.version,
            "form": package.form,
            "archive_sha256": package.sha256,
            "member": family.member,
        },
        "license": package.license,
        "copyright": package.notice,
        "citation": family.citation,
        "columns": dict(family.columns),
        "notes": list(family.notes),
        "n_tasks": len(tasks),
        "n_rows": sum(int(str(files[path]["rows"])) for path in tasks),
        "files": dict(files),
    }


def describe_kept(family: KeptFamily, folder: Path) -> dict[str, object]:
    """Return what the manifest says about tables that are kept as they are, read out of the data folder."""
    tables = family.tables(folder)
    return {
        "title": family.title,
        "source": dict(family.source),
        "license": family.license,
        "copyright": family.notice,
        "citation": family.citation,
        "columns": dict(family.columns),
        "notes": list(family.notes),
        "n_tasks": len(tables),
        "n_rows": sum(len(table) for table in tables.values()),
        "files": {path: describe_file(table, (folder / path).read_bytes()) for path, table in tables.items()},
    }


def describe_file(table: pd.DataFrame, content: bytes) -> dict[str, object]:
    """Return what the manifest says about a file.

    `sha256` is that of the file as written; `rows_sha256` that of its rows as CSV, which does not depend on the
    Parquet writer.
    """
    return {"rows": len(table), "sha256": sha256_of(content), "rows_sha256": sha256_of(csv_bytes(table))}


def make(
    out: Path, downloads: Path, families: Sequence[Family] = FAMILIES, kept: Sequence[KeptFamily] = ()
) -> dict[str, object]:
    """Write every family and the manifest.

    Args:
        out: The data folder.
        downloads: Where archives are kept.
        families: What to make.
        kept: What is in the data folder already, and only described.

    Returns:
        The manifest as written.

    Raises:
        InputError: If a package cannot be had or its tables are not as expected.
    """
    manifest: dict[str, object] = {family.name: describe_kept(family, out) for family in kept}
    for family in families:
        files: dict[str, dict[str, object]] = {}
        for path, table in build_family(family, downloads).items():
            content = file_bytes(table, Path(path).suffix)
            target = out / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            files[path] = describe_file(table, content)
        manifest[family.name] = describe(family, files)
        print(f"{family.name}: {len(files)} files", file=sys.stderr)
    manifest = {name: manifest[name] for name in [*(one.name for one in families), *(one.name for one in kept)]}
    (out / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return manifest


def check(out: Path, downloads: Path, families: Sequence[Family] = FAMILIES, kept: Sequence[KeptFamily] = ()) -> None:
    """Compare the packages' rows, and those of tables that are kept, with those that the manifest has on record.

    Args:
        out: The data folder.
        downloads: Where archives are kept.
        families: What to compare.
        kept: What no package publishes.

    Raises:
        InputError: If a file is missing from the manifest, is too much, or has other rows.
    """
    manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    for one in kept:
        if describe_kept(one, out) != manifest[one.name]:
            raise InputError(
                f"{out / MANIFEST} must describe the tables of {one.name} as they are; it does not.",
                "Take the folder from the repository, or run again without --check and look at what changed.",
            )
    for family in families:
        recorded = {path: entry["rows_sha256"] for path, entry in manifest[family.name]["files"].items()}
        made = {path: sha256_of(csv_bytes(table)) for path, table in build_family(family, downloads).items()}
        differing = sorted({path for path, _ in set(recorded.items()) ^ set(made.items())})
        if differing:
            raise InputError(
                f"{out / MANIFEST} must record what {family.package.name} publishes; other rows are in {differing}.",
                "Run again without --check and look at what changed.",
            )
        print(f"{family.name}: {len(made)} files as published", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m data.make", description="Make the reference data again.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="the data folder (default: this one)")
    parser.add_argument("--downloads", type=Path, help="keeps the archives (default: a folder that is removed)")
    parser.add_argument("--check", action="store_true", help="write nothing, compare with the manifest")
    options = parser.parse_args(arguments)
    action = check if options.check else make
    try:
        with tempfile.TemporaryDirectory() as scratch:
            action(options.out, options.downloads or Path(scratch), kept=KEPT if options.out.is_dir() else ())
    except DiscoveryError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
