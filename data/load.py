"""A load test: many simulated campaigns that run by themselves on one Prefect server, as `discovery deploy` runs them.

Every campaign is small, asks nobody, and measures in a simulator; a run of it makes one cycle. In each round all are
due at once. `python -m data.load --campaigns 10,50 --stores one,each` prints a table: cycles per minute, how long after
it was due a cycle was done, how long the database was waited for, what the server took. Without PREFECT_API_URL the
server is one of our own, on SQLite.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import yaml
from rich.console import Console

from data.load_server import campaign_runs, deployed, make_due, running, wait_until_idle
from data.processes import Usage, children, usage
from discovery.cli.deploy import SERVE_LIMIT
from discovery.errors import ConfigurationError, DiscoveryError
from discovery.report.grids import Grid
from discovery.report.style import number
from discovery.report.terminal import table
from discovery.store import Store

FOLDER = Path(__file__).parents[1] / "build" / "load"
STORES = ("one", "each")
BATCH = 2
WAITED = re.compile(r"waited ([\d.]+) s, held ([\d.]+) s")


@dataclass(frozen=True)
class Load:
    """What is run.

    Attributes:
        n_campaigns: Campaigns.
        stores: `one` database for all, or one for `each`.
        rounds: How often every campaign is due.
        limit: Runs at once.
        poll_s: Pause between two looks for what is due; None for the product's own.
        patience_s: How long the whole may take.
    """

    n_campaigns: int
    stores: str = "one"
    rounds: int = 1
    limit: int = SERVE_LIMIT
    poll_s: float | None = None
    patience_s: float = 3600.0


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        n_campaigns: Campaigns.
        stores: `one` or `each`.
        limit: Runs at once.
        n_cycles: Cycles in the databases at the end.
        n_runs: Flow runs of campaigns.
        minutes: From the first due to the last done.
        cycles_per_minute: Throughput.
        done_median_s: From due to done, median over runs that were asked for.
        done_p95_s: The same, 95th percentile.
        run_median_s: From start to done, median: what a run takes of itself.
        opened_per_cycle: How often a database was opened, per cycle.
        held_per_cycle_s: How long a database was held, per cycle.
        waited_per_cycle_s: How long a database was waited for, per cycle.
        waited_p95_s: How long one opening waited, 95th percentile.
        waited_max_s: The longest.
        runs_cpu_s: Processor time of the runs' processes, per cycle.
        server_cpu_s: Processor time of the server, per cycle; NaN for a server of somebody else.
        server_mb: Its peak memory, MB.
        errors: States and messages of runs that did not complete.
    """

    n_campaigns: int
    stores: str
    limit: int
    n_cycles: int
    n_runs: int
    minutes: float
    cycles_per_minute: float
    done_median_s: float
    done_p95_s: float
    run_median_s: float
    opened_per_cycle: float
    held_per_cycle_s: float
    waited_per_cycle_s: float
    waited_p95_s: float
    waited_max_s: float
    runs_cpu_s: float
    server_cpu_s: float
    server_mb: float
    errors: tuple[str, ...] = ()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the loads that are asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m data.load", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--campaigns", default="10", help="how many; several with commas between, such as 10,50,200")
    parser.add_argument("--stores", default="one", help="one database for all, one for each, or one,each")
    parser.add_argument("--rounds", type=int, default=1, help="how often every campaign is due")
    parser.add_argument("--limit", type=int, default=SERVE_LIMIT, help="runs at once; default as `discovery deploy`")
    parser.add_argument("--poll", type=float, help="seconds between two looks for what is due")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for files and databases; emptied first")
    parser.add_argument("--out", type=Path, help="add each result as a line of JSON to this file")
    given = parser.parse_args(arguments)
    outcomes = []
    try:
        for stores in given.stores.split(","):
            for n in given.campaigns.split(","):
                load = Load(int(n), stores, given.rounds, given.limit, given.poll)
                outcomes.append(run_load(load, given.folder))
                if given.out:
                    with given.out.open("a") as file:
                        file.write(json.dumps(asdict(outcomes[-1])) + "\n")
    except DiscoveryError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    finally:
        if outcomes:
            show(outcomes)
    return int(any(outcome.errors for outcome in outcomes))


def run_load(load: Load, folder: Path) -> Outcome:
    """Deploy campaigns, let them be due, and measure until all are done.

    Raises:
        ConfigurationError: If the load makes no sense.
        DiscoveryError: If the runner ends, or patience does.
    """
    if load.stores not in STORES or load.n_campaigns < 1 or load.rounds < 1:
        raise ConfigurationError(f"--stores must be one or each, and numbers positive; got {load}.")
    shutil.rmtree(folder, ignore_errors=True)
    files = write_campaigns(load, folder)
    with running(files, folder, load.limit, load.poll_s) as (process, api):
        ids = deployed(api, folder, process, 180 + 3 * load.n_campaigns)
        server = next((child for child in children(process.pid) if "flows.server" in child.command), None)
        before, runs_before = usage(server.pid) if server else None, usage(process.pid)
        deadline = time.monotonic() + load.patience_s
        for i in range(load.rounds):
            make_due(api, ids, {"cycles": 1}, key=str(i))
            wait_until_idle(api, process, deadline)
        runs, after = campaign_runs(api), usage(server.pid) if server else None
        spent = usage(process.pid).children_s - runs_before.children_s
    return summarize(load, runs, read_waits(folder), count_cycles(folder), (before, after, spent))


def write_campaigns(load: Load, folder: Path) -> list[Path]:
    """Write the campaign files; each has a folder of its own where each has its own database."""
    files = []
    for i in range(load.n_campaigns):
        own = folder / f"c{i:04d}" if load.stores == "each" else folder
        own.mkdir(parents=True, exist_ok=True)
        spec = {
            "name": f"load_{i:04d}",
            "parameters": [
                {"name": "catalyst", "type": "categorical", "values": ["A", "B", "C", "D"]},
                {"name": "temperature", "type": "continuous", "bounds": [30, 110], "unit": "degC"},
                {"name": "loading", "type": "continuous", "bounds": [0.5, 2.5], "scale": "log"},
            ],
            "outcomes": [{"name": "yield", "unit": "%", "range": [0, 100]}],
            "objectives": [{"name": "yield", "goal": "maximize"}],
            "hypotheses": [{"name": "no_transfer"}],
            "acquisition": {"batch_size": BATCH},
            "budget": {"experiments": BATCH * load.rounds},
            "experiment": {"type": "simulator", "name": "gp_prior", "seed": i},
        }
        files.append(own / f"load_{i:04d}.yaml")
        files[-1].write_text(yaml.safe_dump(spec, sort_keys=False))
    return files


def read_waits(folder: Path) -> pd.DataFrame:
    """Return how long each opening of a database waited and held it, in seconds."""
    found = WAITED.findall((folder / "waits.log").read_text())
    return pd.DataFrame(found, columns=["waited", "held"]).astype(float)


def count_cycles(folder: Path) -> int:
    """Return how many cycles all campaigns have made, by their databases."""
    n = 0
    for path in folder.rglob("*.duckdb"):
        store = Store(path)
        n += sum(store.next_cycle(name) - 1 for name in store.campaigns()["campaign"])
    return n


def summarize(
    load: Load, runs: pd.DataFrame, waits: pd.DataFrame, n_cycles: int, used: tuple[Usage | None, Usage | None, float]
) -> Outcome:
    """Work out what came of a load.

    Args:
        load: What was run.
        runs: Runs of campaigns (`campaign_runs`).
        waits: Openings of databases (`read_waits`).
        n_cycles: Cycles that were made.
        used: By the server before and after, None for a server of somebody else; processor time of the runs.
    """
    asked, each = runs[runs["is_asked"]], max(n_cycles, 1)
    minutes = (runs["done"].max() - asked["due"].min()).total_seconds() / 60
    latency = (asked["done"] - asked["due"]).dt.total_seconds()
    before, after, spent = used
    failed = runs[runs["state"] != "Completed"]
    return Outcome(
        n_campaigns=load.n_campaigns,
        stores=load.stores,
        limit=load.limit,
        n_cycles=n_cycles,
        n_runs=len(runs),
        minutes=minutes,
        cycles_per_minute=n_cycles / minutes,
        done_median_s=float(latency.median()),
        done_p95_s=float(latency.quantile(0.95)),
        run_median_s=float((asked["done"] - asked["started"]).dt.total_seconds().median()),
        opened_per_cycle=len(waits) / each,
        held_per_cycle_s=float(waits["held"].sum()) / each,
        waited_per_cycle_s=float(waits["waited"].sum()) / each,
        waited_p95_s=float(waits["waited"].quantile(0.95)),
        waited_max_s=float(waits["waited"].max()),
        runs_cpu_s=spent / each,
        server_cpu_s=(after.cpu_s - before.cpu_s) / each if before and after else float("nan"),
        server_mb=after.peak_mb if after else float("nan"),
        errors=tuple(f"{state}: {text[:200]}" for state, text in zip(failed["state"], failed["message"], strict=True)),
    )


COLUMNS = {
    "campaigns": "n_campaigns",
    "databases": "stores",
    "at once": "limit",
    "cycles": "n_cycles",
    "runs": "n_runs",
    "minutes": "minutes",
    "cycles/min": "cycles_per_minute",
    "done s": "done_median_s",
    "p95": "done_p95_s",
    "run s": "run_median_s",
    "opened": "opened_per_cycle",
    "held s": "held_per_cycle_s",
    "waited s": "waited_per_cycle_s",
    "wait p95": "waited_p95_s",
    "max": "waited_max_s",
    "run CPU s": "runs_cpu_s",
    "server CPU s": "server_cpu_s",
    "server MB": "server_mb",
}


def show(outcomes: Sequence[Outcome]) -> None:
    """Print a table of what came of loads, and the errors."""
    rows = [asdict(outcome) for outcome in outcomes]
    cells = tuple(
        (
            *(number(row[name], 3) if isinstance(row[name], float) else str(row[name]) for name in COLUMNS.values()),
            str(len(row["errors"])),
        )
        for row in rows
    )
    note = "Opened, held, waited and CPU per cycle; done: from due to done; run: from start to done."
    grid = Grid("Load", (*COLUMNS, "errors"), cells, note)
    Console(width=200, highlight=False).print(table(grid, is_plain=True))
    for outcome in outcomes:
        for error in sorted(set(outcome.errors)):
            print(f"{outcome.n_campaigns} campaigns, {outcome.stores}: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
