"""docs/experiments.md: its program and its laboratory are run, and its tables hold what there is."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from importlib import util
from pathlib import Path

import pytest

from discovery.campaign import load_spec
from discovery.errors import ExperimentError
from discovery.experiments import AdapterResult, Pending, TrialContext, adapter_for
from discovery.experiments.messages import order_message
from discovery.registry import ADAPTERS
from discovery.space import SearchSpace

PAGE = "experiments.md"
FILE = re.compile(r"^```\w+ title=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(read_doc: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the page; `python` is this one."""
    for name, text in FILE.findall(read_doc(PAGE)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("LAB_TOKEN", "token")
    return tmp_path


def carry_out(file: Path, temperature: float) -> AdapterResult:
    """Carry one experiment of a campaign out, without a store."""
    spec = load_spec(file)
    adapter = adapter_for(spec, SearchSpace.from_spec(spec))
    context = TrialContext("t1", "p1", "key", f"k{temperature:g}", folder=file.parent / "trials" / f"{temperature:g}")
    for _ in range(200):
        answer = adapter.run({"temperature": temperature}, context)
        if isinstance(answer, AdapterResult):
            return answer
        assert isinstance(answer, Pending)
        context = TrialContext("t1", "p1", "key", context.idempotency_key, answer.external_id, folder=context.folder)
        time.sleep(0.05)
    raise AssertionError("No result came.")


def test_the_program_of_the_page_works(folder: Path) -> None:
    """It answers with an outcome, and with a failure where it should."""
    assert carry_out(folder / "program.yaml", 70.0) == AdapterResult({"yield": 85.0}, {"bath": "B2"})
    with pytest.raises(ExperimentError, match="The oil bath does not get that hot"):
        carry_out(folder / "program.yaml", 115.0)


def test_the_laboratory_of_the_page_works(folder: Path) -> None:
    """It takes an order twice and makes it once, reports, and says what it does not know."""
    import uvicorn

    found = util.spec_from_file_location("lab", folder / "lab.py")
    assert found is not None and found.loader is not None
    lab = util.module_from_spec(found)
    found.loader.exec_module(lab)
    server = uvicorn.Server(uvicorn.Config(lab.app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    text = (folder / "laboratory.yaml").read_text().replace("localhost:8765", f"127.0.0.1:{port}")
    (folder / "laboratory.yaml").write_text(text.replace("poll: 2s", "poll: 0.05s"))
    try:
        results = [carry_out(folder / "laboratory.yaml", 70.0) for _ in range(2)]
    finally:
        server.should_exit = True
        thread.join()
    assert results == [AdapterResult({"yield": 85.0}, {"robot": "R2"})] * 2
    assert [order["configuration"] for order in lab.experiments.values()] == [{"temperature": 70.0}]


def test_the_page_names_every_adapter_and_shows_a_whole_order(
    folder: Path, read_doc: Callable[[str], str], doc_blocks: Callable[[str, str], list[str]]
) -> None:
    """The table of types is that of the registry, and the order that is shown has the keys of a real one."""
    assert re.findall(r"^\| `(\w+)` \| ", read_doc(PAGE), re.MULTILINE) == list(ADAPTERS)
    [shown] = doc_blocks(PAGE, "json")
    real = order_message({"temperature": 70.0}, TrialContext("", "", "", ""), load_spec(folder / "program.yaml"))
    assert list(json.loads(shown)) == list(real)
