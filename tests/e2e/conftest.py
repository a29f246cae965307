"""A real hub with four real Unix users, and Chromium to use it: see `make e2e`.

The week of test_1_week.py happens twice, with the gradebook in SQLite and in PostgreSQL, each time
on a hub without a past; the other modules go on where the one with SQLite ended.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import lab
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from postgres import Postgres

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


DATABASES = ["sqlite", "postgresql"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "hub" in metafunc.fixturenames:
        both = metafunc.module.__name__ == "test_1_week"
        metafunc.parametrize("hub", DATABASES if both else DATABASES[:1], indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Iterator[None]:
    """What the pages of a test that fails show."""
    report = yield
    if report.failed:
        for name, page in item.funcargs.items():
            if isinstance(page, Page):
                page.screenshot(path=PICTURES / f"failed-{item.originalname}-{name}.png")
    return report


@dataclass(frozen=True)
class Hub:
    """The running hub; `gradebook` is the address of its database."""

    url: str
    prefix: Path
    passwords: dict[str, str]
    gradebook: str

    @property
    def course(self) -> str:
        """The address of the course's own server."""
        return f"{self.url}/services/sft2rl"

    def course_command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`course` as docs/operators.md has it run."""
        account = ["runuser", "-u", "grader-sft2rl", "--", "env"]
        program = [f"COURSE_DIR={self.prefix}/course", f"{self.prefix}/staff/bin/course"]
        command = [*account, *program, *arguments]
        return subprocess.run(command, cwd="/", capture_output=True, text=True)


@pytest.fixture(scope="session")
def hub(request: pytest.FixtureRequest) -> Iterator[Hub]:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        gradebook = f"sqlite:///{PREFIX}/course/gradebook.db"
        if request.param == "postgresql":
            gradebook = _for_the_staff(stack.enter_context(closing(Postgres())))
        sample = ["bash", str(ROOT / "hub/sample.sh"), str(PREFIX), "--fresh"]
        subprocess.run(sample, env={**os.environ, "GRADEBOOK": gradebook}, check=True)
        users = (PREFIX / "hub" / "sample-users").read_text()
        passwords = dict(line.split() for line in users.splitlines())
        stack.enter_context(_running(PICTURES / f"hub-{request.param}.log"))
        yield Hub(URL, PREFIX, passwords, gradebook)


def _for_the_staff(server: Postgres) -> str:
    """A database whose socket only the staff can reach, and the course's account is one of them."""
    subprocess.run(["groupadd", "-f", "sft2rl-staff"], check=True)
    shutil.chown(server.folder, group="sft2rl-staff")
    server.folder.chmod(0o750)
    return server.url("gradebook")


@contextmanager
def _running(path: Path) -> Iterator[None]:
    command = ["bash", str(PREFIX / "project/hub/start.sh"), str(PREFIX)]
    with path.open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, "HUB_URL": URL}
        )
        try:
            _wait(process, path)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(120)


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, f"the hub ended: see {log}"
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


@contextmanager
def person(browser: Browser, hub: Hub, name: str) -> Iterator[Page]:
    """A browser of one's own, logged in, in JupyterLab."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.set_default_timeout(2 * lab.MINUTE)
        page.alerts = []  # type: ignore[attr-defined]
        page.on(
            "dialog",
            lambda dialog: (page.alerts.append(dialog.message), dialog.accept()),  # type: ignore[attr-defined]
        )
        lab.sign_in(page, hub.url, name, hub.passwords[name])
        yield page


@pytest.fixture(scope="session")
def ada(browser: Browser, hub: Hub) -> Iterator[Page]:
    with person(browser, hub, "ada") as page:
        yield page


@pytest.fixture(scope="session")
def ben(browser: Browser, hub: Hub) -> Iterator[Page]:
    with person(browser, hub, "ben") as page:
        yield page


@pytest.fixture(scope="session")
def instructor(browser: Browser, hub: Hub) -> Iterator[Page]:
    with person(browser, hub, "instructor") as page:
        yield page


@pytest.fixture(scope="session")
def tutor(browser: Browser, hub: Hub) -> Iterator[Page]:
    with person(browser, hub, "tutor") as page:
        yield page


def picture(page: Page, name: str) -> None:
    """A screenshot of this step, for people to look at."""
    page.wait_for_timeout(500)
    page.screenshot(path=PICTURES / f"{name}.png")
