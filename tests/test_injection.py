"""What a student writes, in Chromium: on the feedback page and in formgrader nothing of it runs."""

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from html import escape
from pathlib import Path
from urllib.parse import quote

import pytest
from nbgrader.api import Gradebook
from playwright.sync_api import Browser, Page, sync_playwright
from tiny_class import NAME, RIGHT, SCRIPTS, Class, text

pytestmark = pytest.mark.browser

CHROMIUM = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
CANARY = "http://canary.invalid/"
RUN = f"top.PWNED=1;document.title='PWNED';fetch('{CANARY}')"
HTML = f"""
<script>{RUN}</script> </script></textarea></title></style>--><script>{RUN}</script>
<img src=x onerror="{RUN}"> <svg onload="{RUN}"><script>{RUN}</script></svg>
<iframe srcdoc="<script>top.PWNED=1</script>"></iframe> <iframe src="javascript:top.PWNED=1"></iframe>
<a href="javascript:{RUN}">x</a> <a href="java&#9;script:{RUN}">x</a>
<a href="data:text/html,<script>top.PWNED=1</script>">x</a> <svg><a xlink:href="javascript:{RUN}">x</a></svg>
<details open ontoggle="{RUN}"><summary>x</summary></details> <input autofocus onfocus="{RUN}">
<object data="javascript:{RUN}"></object> <embed src="javascript:{RUN}"> <video><source onerror="{RUN}"></video>
<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=x onerror={RUN}&gt;">
<meta http-equiv="refresh" content="0;url=javascript:{RUN}"> <base href="{CANARY}">
<link rel="stylesheet" href="{CANARY}a.css"> <style>@import '{CANARY}b.css'; * {{background: url({CANARY}c)}}</style>
<img src="{CANARY}pixel.png"> <img srcset="{CANARY}pixel.png 2x"> <form action="{CANARY}"><button autofocus>x</button></form>
"""  # noqa: E501
MARKDOWN = rf"""
[x](javascript:{RUN}) ![x](javascript:{RUN}) <javascript:{RUN}> ![pixel]({CANARY}d.png) [y][z]
[x](data:text/html;base64,PHNjcmlwdD50b3AuUFdORUQ9MTwvc2NyaXB0Pg==) `</code><script>{RUN}</script>`

[z]: javascript:{RUN}

$\href{{javascript:{RUN}}}{{x}}$ $$\unicode{{<img src=x onerror={RUN}>}} \style{{x}}{{y}}$$

```html"><script>{RUN}</script>
</code></pre><script>{RUN}</script>
```

| a table | of |
| --- | --- |
| honest | numbers |
{HTML}"""
OUTPUTS = f"""
from IPython.display import display
from PIL import Image
html, run = {HTML!r}, {RUN!r}
kinds = ["text/html", "image/svg+xml", "text/markdown", "text/latex", "application/javascript",
         "application/json", "application/vnd.jupyter.widget-view+json", "image/png", "text/plain",
         "application/pdf", "x/</script>" + html]
for kind in kinds:
    display({{kind: run if "script" in kind else html}}, raw=True)
display({{kind: html for kind in kinds}}, raw=True, metadata={{"text/html": {{"isolated": True}}}})
display({{"text/latex": r"$\\href{{javascript:" + run + "}}{{x}}$"}}, raw=True)
print(html)
display(Image.new("RGB", (23, 11), "red"))
raise type(html[:90], (Exception,), {{}})(html)
"""
FILE = '"><img src=x onerror=top.PWNED=1>.ipynb'
PERSON = f"</script><script>{RUN}</script><img src=x onerror=top.PWNED=1>"


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Class:
    """A class of one student, who tries all of it."""
    group = Class(tmp_path_factory.mktemp("injection") / "tiny")
    comment = "".join(f"# {line}\n" for line in HTML.splitlines())
    notebook = group.answered(**{**RIGHT, "written_square": MARKDOWN})
    for cell in notebook.cells:
        if cell.id == "double":
            cell.source = comment + cell.source
            cell.metadata.nbgrader.grade_id = "double"
    new = {"metadata": {"name": HTML}, "id": "theirs"}
    notebook.cells.insert(2, {**new, "cell_type": "code", "source": OUTPUTS, "outputs": []})
    notebook.cells.insert(3, {**new, "cell_type": "markdown", "source": MARKDOWN})
    notebook.cells.insert(4, {**new, "cell_type": "raw", "source": HTML})
    notebook.metadata["title"] = HTML
    group.hand_in("eve", text(notebook), FILE)
    done = group.run("course", "grade", NAME)
    assert done.returncode == 0, done.stderr
    with Gradebook(group.db_url) as book:
        book.update_or_create_student("eve", first_name=PERSON, last_name=PERSON, email=PERSON)
    assert group.grades("eve")["test_double"] == (2.0, False)
    return group


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        yield browser
        browser.close()


class Visit:
    """A page that was opened, and what a script of the student's would leave behind."""

    def __init__(self, browser: Browser) -> None:
        self.page: Page = browser.new_context().new_page()
        self.asked: list[str] = []
        self.page.route("**/*", self._only_here)
        self.page.on("dialog", lambda dialog: (self.asked.append("dialog"), dialog.dismiss()))

    def _only_here(self, route) -> None:
        url = route.request.url
        if url.startswith(CANARY):
            self.asked.append(url)
        if url.startswith(("http://127.0.0.1:", "file:", "data:")):
            route.continue_()
        else:
            route.abort()

    def open(self, url: str) -> None:
        self.page.goto(url, wait_until="networkidle")

    def traces(self) -> list[str]:
        """Empty if nothing ran or was fetched, also when every odd link is clicked."""
        self.page.evaluate("""() => document.querySelectorAll('a').forEach(link => {
            const kind = String(link.protocol || link.href.baseVal || '');
            if (kind && !/^(https?|mailto|file):/.test(kind)) link.dispatchEvent(
                new MouseEvent('click', {bubbles: true, cancelable: true}));
        })""")
        self.page.wait_for_timeout(300)
        found = [f"{name} in {frame.url}" for frame in self.page.frames
                 for name in ("PWNED",) if frame.evaluate("() => window.PWNED === 1")]  # fmt: skip
        if "PWNED" in self.page.title():
            found.append("title")
        return found + self.asked

    def shows(self, words: str) -> bool:
        return self.page.get_by_text(words).first.is_visible()


def test_the_detector_sees_what_runs(browser: Browser, tmp_path: Path) -> None:
    """The control: the same text, not cleaned, does all of it."""
    visit = Visit(browser)
    (tmp_path / "page.html").write_text(f"<title>x</title><body>{HTML}")
    visit.open((tmp_path / "page.html").as_uri())
    traces = visit.traces()
    assert any("PWNED" in trace for trace in traces) and f"{CANARY}pixel.png" in traces


def look_at_the_notebook(visit: Visit) -> None:
    """Nothing ran, and what is honest is seen."""
    assert visit.traces() == []
    page = visit.page
    assert page.locator("td", has_text="honest").first.is_visible()
    assert page.locator("td", has_text="integers are doubled").first.is_visible()
    widths = page.evaluate("() => [...document.images].map(each => each.naturalWidth)")
    assert 23 in widths
    prose = " ".join(page.locator(".text_cell_render").all_inner_texts())
    assert "honest" in prose
    assert not [name for name in ("href", "unicode", "style") if f"\\{name}" in prose]
    assert escape("<script>top.PWNED=1", quote=False) in page.content()


def test_the_feedback_page(group: Class, browser: Browser) -> None:
    visit = Visit(browser)
    page = group.course.feedback(NAME, "eve") / "tiny.html"
    visit.open(page.as_uri())
    look_at_the_notebook(visit)
    assert visit.shows("was read in place of tiny.ipynb")


@pytest.fixture(scope="module")
def formgrader(group: Class) -> Iterator[str]:
    """The address of formgrader on a Jupyter server in the course folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    extensions = "{'nbgrader.server_extensions.formgrader': True, 'jupyterlab': False}"
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": group.course.root,
        "ServerApp.jpserver_extensions": extensions,
        "IdentityProvider.token": "",
        "ServerApp.password": "",
    }
    with (group.root / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [SCRIPTS / "jupyter-server", "--no-browser", "--allow-root"]
            + [f"--{name}={value}" for name, value in options.items()],
            cwd=group.course.root,
            env={**os.environ, "JUPYTER_CONFIG_DIR": str(group.root / "jupyter")},
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        while not _answers(f"{url}/api"):
            assert server.poll() is None, (group.root / "server.log").read_text()
            time.sleep(0.1)
        yield f"{url}/formgrader"
    finally:
        server.terminate()
        server.wait()


def _answers(url: str) -> bool:
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except OSError:
        return False


def test_the_submission_in_formgrader(group: Class, browser: Browser, formgrader: str) -> None:
    with Gradebook(group.db_url) as book:
        number = book.find_submission_notebook("tiny", NAME, "eve").id
    visit = Visit(browser)
    visit.open(f"{formgrader}/submissions/{number}/")
    look_at_the_notebook(visit)


@pytest.mark.parametrize(
    "place",
    [
        f"manage_submissions/{NAME}",
        f"gradebook/{NAME}/tiny",
        "manage_students",
        "manage_students/eve",
    ],
)
def test_names_in_formgrader(browser: Browser, formgrader: str, place: str) -> None:
    visit = Visit(browser)
    visit.open(f"{formgrader}/{place}")
    visit.page.wait_for_selector("tbody tr td a")
    assert visit.traces() == []


def test_an_address_in_formgrader(browser: Browser, formgrader: str) -> None:
    """What a student sends a TA as a link."""
    visit = Visit(browser)
    visit.open(f"{formgrader}/manage_students/" + quote("'\"><img src=x onerror=top.PWNED=1>"))
    assert visit.traces() == []
    assert "onerror=top.PWNED" in visit.page.inner_text(".breadcrumb")
