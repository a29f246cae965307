"""Takes the pictures of the README from a real JupyterLab in Chromium; run `make demo` before.

    .venv/bin/python tools/screenshots.py [FOLDER]     (default: docs/images)

Pictures: a notebook with a failing visible check, formgrader's gradebook, a feedback page.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "demo"
BIN = Path(sys.executable).parent
CHROMIUM = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
SIZE = {"width": 1280, "height": 900}


@contextmanager
def jupyter(folder: Path) -> Iterator[str]:
    """JupyterLab in `folder` on a free port of this machine; gives its address with the token."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    command = [str(BIN / "jupyter-lab"), "--no-browser", f"--port={port}", "--ip=127.0.0.1"]
    command += [f"--IdentityProvider.token={token}", "--ServerApp.port_retries=0"]
    if os.geteuid() == 0:
        command.append("--allow-root")
    server = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(f"http://127.0.0.1:{port}/api?token={token}")
        yield f"http://127.0.0.1:{port}/{{}}?token={token}"
    finally:
        server.terminate()
        server.wait()


def _wait(address: str) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(address, timeout=2)
            return
        except OSError:
            time.sleep(1)
    raise TimeoutError("JupyterLab did not start")


WRONG = """\
def merge_pair(ids, pair, new_id):
    out = list(ids)
    for i in range(len(out) - 2, -1, -1):
        if (out[i], out[i + 1]) == pair:
            out[i : i + 2] = [new_id]
    return out
"""


def hand_in(folder: Path) -> None:
    """The released notebook with one wrong answer, run up to the check that finds it."""
    book = nbformat.read(ROOT / "assignments/01_tokenizer/tokenizer.ipynb", as_version=4)
    names = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in book.cells]
    book.cells[names.index("merge_pair")].source = WRONG
    rest = book.cells[names.index("test_merge_pair") + 1 :]
    del book.cells[names.index("test_merge_pair") + 1 :]
    NotebookClient(book, allow_errors=True).execute()
    book.cells += rest
    nbformat.write(book, folder / "tokenizer.ipynb")


def notebook(page: Page, address: str, target: Path) -> None:
    """A wrong answer, and what its visible check says."""
    page.goto(address.format("doc/tree/student/tokenizer.ipynb"))
    page.wait_for_selector(".jp-Notebook-cell", timeout=120_000)
    page.wait_for_timeout(5_000)
    news = page.get_by_role("button", name="No", exact=True)
    if news.count():
        news.click()
    scroller = page.locator(".jp-WindowedPanel-outer").first
    for _ in range(80):
        if page.locator("text=That is what you get").count():
            break
        scroller.evaluate("panel => panel.scrollBy(0, 500)")
        page.wait_for_timeout(150)
    page.locator("text=That is what you get").first.scroll_into_view_if_needed()
    page.wait_for_timeout(2_000)
    page.screenshot(path=target / "notebook.png")


def formgrader(page: Page, address: str, target: Path) -> None:
    """The TA's list of assignments and the submissions of one."""
    page.goto(address.format("formgrader/gradebook/01_tokenizer"))
    page.wait_for_timeout(6_000)
    page.screenshot(path=target / "formgrader.png")


def feedback(page: Page, target: Path) -> None:
    """A feedback page where one hidden test failed."""
    page.goto((DEMO / "feedback/jweber/01_tokenizer/tokenizer.html").as_uri())
    page.locator("text=✗").first.scroll_into_view_if_needed()
    page.mouse.wheel(0, 300)
    page.wait_for_timeout(1_000)
    page.screenshot(path=target / "feedback.png")


def main() -> None:
    """Take all pictures."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    target.mkdir(parents=True, exist_ok=True)
    student = DEMO / "student"
    student.mkdir(exist_ok=True)
    hand_in(student)
    with sync_playwright() as playwright, jupyter(DEMO) as address:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        page = browser.new_page(viewport=SIZE)
        notebook(page, address, target)
        formgrader(page, address, target)
        feedback(page, target)
        browser.close()


if __name__ == "__main__":
    main()
