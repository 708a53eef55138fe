"""The built wheel works away from the checkout: what the package needs at run time travels inside it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Build the wheel without isolation (its one build requirement is installed) and unpack it into a folder."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def run(installed, cwd, *words):
    """Run a module of the wheel from another folder; the checkout is not on the path before it."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_the_wheel_is_what_runs(installed, tmp_path):
    """The modules come from the wheel, not from the checkout."""
    code = "import discovery, flows, simulators; print(discovery.__file__, flows.__file__, simulators.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.count(str(installed)) == 3, done.stdout + done.stderr


def test_a_campaign_starts_from_the_wheel(installed, tmp_path):
    """`init`, `validate` and `propose` find templates, migrations and simulators inside the wheel."""
    for words in (["init", "lab"], ["validate", "lab.yaml"], ["propose", "lab.yaml", "--json"]):
        done = run(installed, tmp_path, "discovery.cli.main", *words)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "discovery.duckdb").is_file()


def test_a_report_is_written_from_the_wheel(installed, tmp_path):
    """The page's template travels too."""
    run(installed, tmp_path, "discovery.cli.main", "init", "lab")
    run(installed, tmp_path, "discovery.cli.main", "run", "lab.yaml", "--cycles", "1", "--auto-approve")
    done = run(installed, tmp_path, "discovery.cli.main", "report", "lab.yaml", "--html", "page.html")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "</html>" in (tmp_path / "page.html").read_text()
