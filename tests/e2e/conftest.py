"""A real hub with three real Unix users, and Chromium to use it. `make e2e` installs it before."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import lab
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
PREFIX = Path(os.environ.get("HUB_DIR", "/srv/sft2rl-sample"))
URL = "http://127.0.0.1:8000"
PICTURES = ROOT / "build" / "e2e"
CHROMIUM = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip

# A busy machine is slow; nothing here is a test of speed.
expect.set_options(timeout=lab.MINUTE)


@dataclass(frozen=True)
class Hub:
    """The running hub."""

    url: str
    prefix: Path
    passwords: dict[str, str]

    @property
    def course(self) -> str:
        """The address of the course's own server."""
        return f"{self.url}/services/sft2rl"


@pytest.fixture(scope="session")
def hub() -> Iterator[Hub]:
    users = (PREFIX / "hub" / "sample-users").read_text()
    passwords = dict(line.split() for line in users.splitlines())
    PICTURES.mkdir(parents=True, exist_ok=True)
    log = (PICTURES / "hub.log").open("wb")
    command = ["bash", str(PREFIX / "project/hub/start.sh"), str(PREFIX)]
    process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "HUB_URL": URL})
    try:
        _wait(process)
        yield Hub(URL, PREFIX, passwords)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)
        log.close()


def _wait(process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, f"the hub ended: see {PICTURES / 'hub.log'}"
        try:
            with urllib.request.urlopen(f"{URL}/hub/login", timeout=5) as page:
                if b"username_input" in page.read():
                    return
        except OSError:
            pass
        time.sleep(1)
    raise TimeoutError("the hub did not start")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        yield browser
        browser.close()


def person(browser: Browser, hub: Hub, name: str) -> Page:
    """A browser of one's own, logged in, in JupyterLab."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(2 * lab.MINUTE)
    page.alerts = []  # type: ignore[attr-defined]
    page.on("dialog", lambda dialog: (page.alerts.append(dialog.message), dialog.accept()))  # type: ignore[attr-defined]
    lab.sign_in(page, hub.url, name, hub.passwords[name])
    return page


@pytest.fixture(scope="session")
def ada(browser: Browser, hub: Hub) -> Page:
    return person(browser, hub, "ada")


@pytest.fixture(scope="session")
def ben(browser: Browser, hub: Hub) -> Page:
    return person(browser, hub, "ben")


@pytest.fixture(scope="session")
def instructor(browser: Browser, hub: Hub) -> Page:
    return person(browser, hub, "instructor")


def picture(page: Page, name: str) -> None:
    """A screenshot of this step, for people to look at."""
    page.wait_for_timeout(500)
    page.screenshot(path=PICTURES / f"{name}.png")
