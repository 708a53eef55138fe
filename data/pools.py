"""What a large pool costs: seconds and peak memory of reading it, and of choosing one experiment and a plate from it.

`python -m data.pools --rows 100000,1000000 --batch 1,96` makes a pool of made-up candidates of each size, a campaign
with 40 measurements and three earlier tasks, and prints a row per pool and batch. Every row is a process of its own, so
that its peak memory is its own. `--objectives 2` trades the yield off against the waste.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

FOLDER = Path(__file__).parents[1] / "build" / "pools"
CHUNK = 500_000
N_MEASURED = 40
CATALYSTS = [f"P{i}" for i in range(12)]
SOLVENTS = ["DMF", "DMSO", "MeCN", "THF", "toluene", "water"]


@dataclass(frozen=True)
class Cost:
    """What one pool and batch cost.

    Attributes:
        rows: Rows of the file.
        batch: Experiments asked for.
        open_s: Opening the campaign, the file read for the first time if it is new.
        train_s: Meta-training, which does not depend on the pool.
        ask_s: Adapting, choosing and storing.
        cpu_s: Processor time of the last.
        peak_gb: Peak memory of the process, all of the above.
        n_distinct: Different configurations proposed.
    """

    rows: int
    batch: int
    open_s: float
    train_s: float
    ask_s: float
    cpu_s: float
    peak_gb: float
    n_distinct: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m data.pools", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", default="100000,1000000", help="rows of the pools, separated by commas")
    parser.add_argument("--batch", default="1,96", help="experiments asked for, separated by commas")
    parser.add_argument("--objectives", type=int, default=1, choices=(1, 2), help="1: the yield; 2: the waste, too")
    parser.add_argument("--format", default="parquet", choices=("parquet", "csv"), help="of the candidates")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="where models live")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for files and databases; emptied first")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        print(json.dumps(asdict(measure(given.folder, int(given.batch), given.device))))
        return 0
    shutil.rmtree(given.folder, ignore_errors=True)
    found = []
    for n_rows in map(int, given.rows.split(",")):
        folder = make(given.folder / str(n_rows), n_rows, given.format, given.objectives)
        for batch in given.batch.split(","):
            found.append(_in_a_process(folder, batch, given.device))
            if not given.json:
                print("  ".join(f"{name} {_shown(value)}" for name, value in found[-1].items()), flush=True)
    if given.json:
        print(json.dumps(found, indent=2))
    return 0


def make(folder: Path, n_rows: int, suffix: str, n_objectives: int = 1) -> Path:
    """Write a campaign: candidates, three earlier tasks, the campaign file. Returns the folder."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for k in range(3):
        task = _rows(150, rng)
        _measured(task, 0.05 * k, rng).to_csv(folder / f"task_{k}.csv", index=False)
    path = folder / f"candidates.{suffix}"
    if suffix == "csv":
        for start in range(0, n_rows, CHUNK):
            part = _rows(min(CHUNK, n_rows - start), rng)
            part.to_csv(path, mode="a", header=start == 0, index=False)
    else:
        _write_parquet(path, n_rows, rng)
    (folder / "campaign.yaml").write_text(yaml.safe_dump(_campaign(path.name, n_objectives)), encoding="utf-8")
    return folder


def measure(folder: Path, batch: int, device: str) -> Cost:
    """Open the campaign of a folder, tell it measurements, and ask it once; in this process."""
    from discovery.session import Campaign

    (folder / "discovery.duckdb").unlink(missing_ok=True)
    clock = [time.perf_counter()]
    campaign = Campaign.open(folder / "campaign.yaml", device=device)
    clock.append(time.perf_counter())
    rng = np.random.default_rng(1)
    told = _rows(N_MEASURED, rng)
    campaign.tell(_measured(told, 0.02, rng))
    campaign.all_hypotheses()
    clock.append(time.perf_counter())
    before = time.process_time()
    proposed = campaign.ask(batch)
    clock.append(time.perf_counter())
    opened, trained, asked = np.diff(clock).tolist()
    assert campaign.pool is not None
    return Cost(
        rows=len(campaign.pool) + campaign.pool.n_repeated + campaign.pool.n_infeasible,
        batch=batch,
        open_s=opened,
        train_s=trained,
        ask_s=asked,
        cpu_s=time.process_time() - before,
        peak_gb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        n_distinct=len(proposed[campaign.spec.parameter_names].drop_duplicates()),
    )


def _in_a_process(folder: Path, batch: str, device: str) -> dict[str, float]:
    command = [sys.executable, "-m", "data.pools", "--one", "--folder", str(folder), "--batch", batch]
    done = subprocess.run([*command, "--device", device], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _shown(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}"


def _rows(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw configurations: two categories, two numbers, one of a list."""
    return pd.DataFrame(
        {
            "catalyst": rng.choice(CATALYSTS, n),
            "solvent": rng.choice(SOLVENTS, n),
            "temperature": rng.uniform(30, 110, n).round(2),
            "time": np.exp(rng.uniform(0, np.log(60), n)).round(3),
            "equivalents": rng.choice([1.0, 1.5, 2.0, 2.5, 3.0], n),
        }
    )


def _worth(rows: pd.DataFrame, shift: float) -> np.ndarray:
    """Return made-up yields of configurations, %."""
    warm = (rows["temperature"].to_numpy(float) - 30) / 80 - 0.6 - shift
    catalyst = rows["catalyst"].str[1:].astype(int).to_numpy() % 5
    level = 8 * catalyst + 5 * rows["solvent"].isin(["DMF", "MeCN"]).to_numpy()
    return level + 40 * np.exp(-6 * warm**2) + 3 * np.log(rows["time"].to_numpy(float))


def _measured(rows: pd.DataFrame, shift: float, rng: np.random.Generator) -> pd.DataFrame:
    """Append made-up measurements: yield, %, and waste, which is high where it is hot and long, kg per kg."""
    waste = 5 + 0.3 * rows["temperature"].to_numpy(float) + 4 * np.log(rows["time"].to_numpy(float))
    noise = rng.normal(0, 2, (2, len(rows)))
    return rows.assign(**{"yield": _worth(rows, shift) + noise[0], "waste": waste + noise[1]})


def _write_parquet(path: Path, n_rows: int, rng: np.random.Generator) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.Table.from_pandas(_rows(1, np.random.default_rng(0)), preserve_index=False).schema
    with pq.ParquetWriter(path, schema) as file:
        for start in range(0, n_rows, CHUNK):
            part = _rows(min(CHUNK, n_rows - start), rng)
            file.write_table(pa.Table.from_pandas(part, schema=schema, preserve_index=False))


def _campaign(candidates: str, n_objectives: int) -> dict[str, object]:
    outcomes = [{"name": "yield", "unit": "%", "range": [0, 100]}, {"name": "waste", "unit": "kg/kg", "range": [0, 80]}]
    objectives = [{"name": "yield"}, {"name": "waste", "goal": "minimize"}]
    return {
        "name": "large-pool",
        "parameters": [
            {"name": "catalyst", "type": "categorical", "values": CATALYSTS},
            {"name": "solvent", "type": "categorical", "values": SOLVENTS},
            {"name": "temperature", "type": "continuous", "bounds": [30, 110], "unit": "degC"},
            {"name": "time", "type": "continuous", "bounds": [1, 60], "unit": "min", "scale": "log"},
            {"name": "equivalents", "type": "discrete", "values": [1, 1.5, 2, 2.5, 3]},
        ],
        "outcomes": outcomes[:n_objectives],
        "objectives": objectives[:n_objectives],
        "candidates": candidates,
        "experience": {"history": [f"task_{k}.csv" for k in range(3)]},
        "budget": {"experiments": 1000},
    }


if __name__ == "__main__":
    raise SystemExit(main())
