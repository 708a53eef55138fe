"""What Prefect costs: the start of its embedded server, and a cycle as flow runs beside the same cycle by calls.

`python -m data.overheads` runs the same small campaign both ways, in turns, checks that both made the same
measurements, and prints seconds and ratios: all in one process, so that ratios hold where seconds do not.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import yaml

from discovery.errors import DiscoveryError
from discovery.session import Campaign
from discovery.settings import set_threads
from flows.runtime import EmbeddedServer, prefect_runtime

FOLDER = Path(__file__).parents[1] / "build" / "overheads"
BATCH = 4
IMPORTED = "import flows.campaign"  # what the process of a deployed run loads before it does anything


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m data.overheads", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cycles", type=int, default=4, help="cycles of a campaign")
    parser.add_argument("--repeats", type=int, default=3, help="campaigns each way, in turns")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for files and databases; emptied first")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    set_threads()
    try:
        found = measure(given.folder, given.cycles, given.repeats)
    except DiscoveryError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    if given.json:
        print(json.dumps(found, indent=2))
    else:
        for name, value in found.items():
            print(f"{name:<44} {value:8.3f}")
    return 0


def measure(folder: Path, n_cycles: int, n_repeats: int) -> dict[str, float]:
    """Measure everything.

    Args:
        folder: For files and databases; emptied first.
        n_cycles: Cycles of a campaign.
        n_repeats: Campaigns each way.

    Returns:
        Medians by what they are.

    Raises:
        DiscoveryError: If the two ways do not make the same measurements.
    """
    shutil.rmtree(folder, ignore_errors=True)
    fresh = _seconds(start_server, folder / ".prefect")
    again = [_seconds(start_server, folder / ".prefect") for _ in range(n_repeats)]
    loading = [_seconds(load_flows) for _ in range(n_repeats)]
    by_call, by_flow = [], []
    with prefect_runtime(folder):
        from flows.campaign import campaign as campaign_flow

        campaign_flow(str(write_campaign(folder / "warm", 1)))  # whatever is loaded on first use is loaded now
        by_library(write_campaign(folder / "warm-library", 1), 1)
        for i in range(n_repeats):
            one, other = (write_campaign(folder / f"{way}-{i}", n_cycles) for way in ("call", "flow"))
            by_call.append(_seconds(by_library, one, n_cycles) / n_cycles)
            by_flow.append(_seconds(campaign_flow, str(other)) / n_cycles)
            check_same(one, other)
    return {
        "embedded server ready, fresh folder, s": fresh,
        "embedded server ready, folder from before, s": median(again),
        "process of a deployed run loaded, s": median(loading),
        "a cycle by library calls, s": median(by_call),
        "a cycle as flow runs, s": median(by_flow),
        "Prefect's share of a cycle, s": median(by_flow) - median(by_call),
        "flow runs / library calls": median(by_flow) / median(by_call),
    }


def start_server(home: Path) -> None:
    """Start the embedded server until it answers, and end it."""
    server = EmbeddedServer.start(home)
    server.wait()
    server.stop()


def load_flows() -> None:
    """Load in a process of its own what the run of a deployment loads."""
    subprocess.run([sys.executable, "-c", IMPORTED], check=True)


def by_library(file: Path, n_cycles: int) -> None:
    """Run a campaign by the calls that its flow makes."""
    one = Campaign.open(file)
    one.meta_train()
    for _ in range(n_cycles):
        one.adapt()
        one.ask()
        one.review_pending()
        one.experiment()
        one.ingest_results()
    one.finish()
    one.adapt()


def check_same(one: Path, other: Path) -> None:
    """Check that two campaigns have made the same measurements.

    Raises:
        DiscoveryError: If they have not.
    """
    first, second = (Campaign.open(file).measurements()["key"].tolist() for file in (one, other))
    if first != second or not first:
        raise DiscoveryError(f"Both ways must measure the same configurations; got {first} and {second}.")


def write_campaign(folder: Path, n_cycles: int) -> Path:
    """Write a small campaign whose laboratory is a simulator."""
    folder.mkdir(parents=True)
    spec = {
        "name": "overheads",
        "parameters": [
            {"name": "catalyst", "type": "categorical", "values": ["A", "B", "C", "D"]},
            {"name": "temperature", "type": "continuous", "bounds": [30, 110], "unit": "degC"},
        ],
        "outcomes": [{"name": "yield", "unit": "%", "range": [0, 100]}],
        "objectives": [{"name": "yield", "goal": "maximize"}],
        "hypotheses": [{"name": "no_transfer"}],
        "acquisition": {"batch_size": BATCH},
        "budget": {"experiments": BATCH * n_cycles},
        "experiment": {"type": "simulator", "name": "gp_prior"},
    }
    file = folder / "overheads.yaml"
    file.write_text(yaml.safe_dump(spec, sort_keys=False))
    return file


def _seconds(call: Callable[..., object], *arguments: object) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
