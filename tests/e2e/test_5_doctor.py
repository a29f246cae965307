"""`course doctor` on a hub that runs: all is well, and what is broken is named with its remedy."""

from __future__ import annotations

import re
import shlex
import stat
import subprocess
from pathlib import Path

import pytest
from conftest import Hub
from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def findings(hub: Hub) -> tuple[int, list[str]]:
    """The exit status, and what is wrong, each with the advice below it."""
    done = hub.course_command("doctor")
    lines = done.stdout.splitlines()
    assert "a hub runs; its inner ports are for this machine only" in done.stdout, done.stdout
    wrong = [index for index, line in enumerate(lines) if line.startswith("\N{BALLOT X}")]
    return done.returncode, ["\n".join(lines[index : index + 2]) for index in wrong]


def test_a_sample_hub_is_healthy(instructor: Page, hub: Hub) -> None:
    assert findings(hub) == (0, [])


@pytest.mark.parametrize(
    ("folder", "mode", "was"),
    [("exchange/sft2rl/inbound", 0o777, 0o3733), ("course", 0o755, 0o700)],
)
def test_its_advice_mends_a_folder_that_is_open(hub: Hub, folder: str, mode: int, was: int) -> None:
    path = hub.prefix / folder
    path.chmod(mode)
    status, (finding,) = findings(hub)
    advice = re.search("run `(.*)`", finding)
    assert status == 1 and advice and str(path) in finding
    subprocess.run(shlex.split(advice[1]), check=True)
    assert stat.S_IMODE(Path(path).stat().st_mode) == was
    assert findings(hub) == (0, [])


def test_its_advice_mends_a_home_that_is_open(hub: Hub) -> None:
    home = Path("/home/ada")
    home.chmod(0o755)
    status, (finding,) = findings(hub)
    assert status == 1 and "1 of 2 are not private" in finding
    subprocess.run(shlex.split(re.search("run `(.*)`", finding)[1]), check=True)
    assert findings(hub) == (0, [])
