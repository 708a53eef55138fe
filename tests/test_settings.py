"""Process-wide choices are made once and refused in one sentence when wrong."""

import os
import subprocess
import sys

import pytest

from discovery import settings
from discovery.errors import ConfigurationError


def test_threads_are_set_before_and_after_torch_is_loaded():
    """Whether torch comes first or second, it runs on the threads asked for."""
    for order in ("import torch; set_threads(1)", "set_threads(1); import torch"):
        code = f"from discovery.settings import set_threads; {order}; print(torch.get_num_threads())"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "1"


@pytest.mark.parametrize("value", ["0", "two", "-1"])
def test_wrong_thread_counts_are_refused(monkeypatch, value):
    """The variable and what it said are named."""
    monkeypatch.setenv("DISCOVERY_THREADS", value)
    with pytest.raises(ConfigurationError, match=f"at least 1; got '{value}'"):
        settings.set_threads()


def test_devices():
    """`cpu` is always there; unknown names are refused."""
    assert settings.start_torch("cpu").type == "cpu"
    with pytest.raises(ConfigurationError, match="auto, cpu, cuda; got 'tpu'"):
        settings.start_torch("tpu")


def test_folders_come_from_the_environment(monkeypatch, tmp_path):
    """Folders are named by variables; a folder that is absent counts as not set."""
    monkeypatch.setenv("DISCOVERY_DATASETS", str(tmp_path))
    assert settings.datasets_dir() == tmp_path
    monkeypatch.setenv("DISCOVERY_DATASETS", str(tmp_path / "absent"))
    assert settings.datasets_dir() is None
    assert str(settings.cache_dir()) == os.environ["DISCOVERY_CACHE"]
