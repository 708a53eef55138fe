"""The store as a file: `export`, `backup`, `restore`, and how other commands find it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from discovery.cli.options import FileArgument, JsonFlag
from discovery.cli.output import print_json, say
from discovery.errors import counted

if TYPE_CHECKING:
    from discovery.store import Store


def find_store(file: Path | None, store: Path | None) -> Store:
    """Return the store that is meant, without making one.

    Args:
        file: A campaign file, or None.
        store: What `--store` says, or None.

    Raises:
        StoreError: If there is no such file.
    """
    import os

    from discovery.campaign import load_spec
    from discovery.errors import StoreError
    from discovery.store import Store, store_path
    from discovery.store.store import DEFAULT_FILE

    if store is not None:
        found = Store(store_path(store))
    elif file is not None:
        found = Store.of(load_spec(file))
    else:
        found = Store(store_path(os.environ.get("DISCOVERY_STORE") or DEFAULT_FILE))
    if not found.path.is_file():
        raise StoreError(
            f"A store must exist to be read; there is no {found.path}.",
            "Run a campaign first, or name it with --store.",
        )
    return found


def export(
    file: FileArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the files go.")] = Path("export"),
    as_json: JsonFlag = False,
) -> None:
    """Write the store as Parquet, one file per table."""
    files = find_store(file, None).export(out)
    if as_json:
        print_json({"files": files})
        return
    for path in files:
        say(str(path))


def backup(
    file: FileArgument,
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="The new file.")],
    as_json: JsonFlag = False,
) -> None:
    """Copy the store into a new file.

    Complete, or not at all.
    """
    made = find_store(file, None).backup(target)
    if as_json:
        print_json({"backup": made})
    else:
        say(f"Wrote {made}. Checkpoints lie beside the store in models/ and are not part of it.")


def restore(
    source: Annotated[Path, typer.Argument(metavar="BACKUP", help="What `backup` wrote.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="The store to make; must not exist.")],
    as_json: JsonFlag = False,
) -> None:
    """Make a store out of a backup, which stays."""
    from discovery.store import Store

    made = Store.restore(source, target)
    if as_json:
        print_json({"store": made.path, "n_campaigns": len(made.campaigns())})
    else:
        say(f"Restored {made.path} with {counted(len(made.campaigns()), 'campaign')}.")
