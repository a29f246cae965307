"""Two real students on one machine: what one of them can reach of the other's and the staff's."""

from __future__ import annotations

import json
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import lab
import pytest
from conftest import ROOT, Hub, picture
from playwright.sync_api import Page

NAME = "01_tokenizer"
pytestmark = pytest.mark.browser


@pytest.fixture
def probe(hub: Hub) -> Iterator[str]:
    """A command line for ben that prints what he could reach."""
    path = Path("/home/ben/probe.py")
    shutil.copy(Path(__file__).with_name("probe.py"), path)
    shutil.chown(path, "ben", "ben")
    yield f"{path} {hub.prefix} {ROOT}"


def nothing_reached(text: str) -> None:
    found = json.loads(text[text.index("{") : text.rindex("}") + 1].replace("\n", ""))
    assert found["user"] == pwd.getpwnam("ben").pw_uid
    assert found["reached"] == []
    assert found["api"]


def test_the_probe_finds_what_is_open(hub: Hub) -> None:
    """The grader's own account reaches the course with it: the probe is not blind."""
    python = f"{hub.prefix}/staff/bin/python"
    command = ["runuser", "-u", "grader-sft2rl", "--", python, "-", str(hub.prefix), str(ROOT)]
    command.append("--read-only")
    text = Path(__file__).with_name("probe.py").read_text()
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd="/")
    reached = json.loads(done.stdout)["reached"]
    assert f"{hub.prefix}/course/gradebook.db" in reached
    assert f"{hub.prefix}/project/solutions/{NAME}/tokenizer.py" in reached
    assert "import autograder" in reached


def test_from_a_notebook(ben: Page, probe: str) -> None:
    lab.open_notebook(ben, NAME, "tokenizer")
    lab.cell(ben, "from sft2rl import style").locator(".jp-InputPrompt").click()
    ben.keyboard.press("a")  # a new cell above
    ben.keyboard.press("Enter")
    ben.keyboard.insert_text(f"!python {probe}")
    text = lab.run(ben, lab.cell(ben, f"!python {probe}"))
    picture(ben, "isolation-1-notebook")
    nothing_reached(text)


def test_from_a_terminal(ben: Page, probe: str) -> None:
    lab.menu(ben, "File", "New", "Terminal")
    terminal = ben.locator(".jp-Terminal:visible")
    terminal.wait_for()
    ben.wait_for_timeout(3000)
    terminal.click()
    ben.keyboard.type(f"python {probe} | tee .t && mv .t from-terminal.json\n")
    result = Path("/home/ben/from-terminal.json")
    for _ in range(240):
        if result.exists():
            break
        ben.wait_for_timeout(500)
    picture(ben, "isolation-2-terminal")
    nothing_reached(result.read_text())


def test_through_the_hub(ben: Page, hub: Hub) -> None:
    for address in (
        f"{hub.url}/user/ada/lab",
        f"{hub.url}/user/ada/api/contents",
        f"{hub.course}/course",
        f"{hub.course}/course/api/state",
        f"{hub.course}/formgrader/",
        f"{hub.course}/api/contents/gradebook.db",
        f"{hub.url}/hub/admin",
    ):
        assert ben.request.get(address).status in (403, 404), address
    page = ben.context.new_page()
    page.goto(f"{hub.course}/course")
    assert page.locator("#assignments tr").count() == 0
    picture(page, "isolation-3-forbidden")
    page.close()


def test_kernels_do_not_listen_on_the_network(ada: Page, hub: Hub) -> None:
    """Any user of the machine could subscribe to the outputs of a kernel that does."""
    ada.goto(f"{hub.url}/user/ada/lab")
    lab.assignments(ada)
    lab.open_notebook(ada, NAME, "tokenizer")
    kernels = _kernels("ada")
    files = list(Path("/home/ada/.local/share/jupyter/runtime").glob("kernel-*.json"))
    assert {json.loads(path.read_text())["transport"] for path in files} == {"ipc"}
    # The single-user server, which asks for the hub's login; and of each kernel one socket that
    # takes the output of its child processes under a secret, and gives nothing.
    assert kernels >= 1 and len(_listening(pwd.getpwnam("ada").pw_uid)) == 1 + kernels
    assert ada.locator("[data-icon='ui-components:bug']").count() == 0


def _kernels(user: str) -> int:
    done = subprocess.run(["pgrep", "-u", user, "-fc", "ipykernel"], capture_output=True, text=True)
    return int(done.stdout)


def _listening(uid: int) -> list[str]:
    """The TCP sockets of a user that listen."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[7]) == uid:
                found.append(fields[1])
    return found


def test_tricks_in_the_exchange_reach_nobody(instructor: Page, ben: Page, hub: Hub) -> None:
    """ben submits in ada's name, links to the solutions, and names that break a parser."""
    inbound = hub.prefix / "exchange/sft2rl/inbound"
    secret = hub.prefix / "project/solutions" / NAME / "tokenizer.py"
    script = f"""
        cd {inbound}
        for who in ada ben; do
            name="$who+{NAME}+2999-01-01 00:00:00.0 UTC+x"
            mkdir "$name"; ln -s {secret} "$name/tokenizer.ipynb"; mkfifo "$name/data.txt"
            date > "$name/timestamp.txt"
        done
        mkdir 'ben+{NAME}+yesterday+z'
        ln -s {hub.prefix}/course 'ben+{NAME}+2998-01-01 00:00:00.0 UTC+w'
    """
    subprocess.run(["runuser", "-u", "ben", "--", "sh", "-ec", script], check=True)
    ada = hub.prefix / "course/submitted/ada" / NAME
    before = (ada / "tokenizer.ipynb").read_bytes()
    instructor.goto(f"{hub.course}/formgrader/")
    instructor.locator("td.collect a").first.click()
    modal = instructor.locator(".modal-dialog:visible", has_text="Log Output")
    modal.wait_for()
    said = modal.inner_text()
    picture(instructor, "isolation-4-collect")
    assert "names 'ada' and belongs to ben" in said
    assert (ada / "tokenizer.ipynb").read_bytes() == before
    submitted = hub.prefix / "course/submitted/ben" / NAME
    assert [path.name for path in submitted.iterdir()] == ["timestamp.txt"]
    assert (submitted / "timestamp.txt").read_text() < "2999"


def test_the_students_environment_holds_nothing_hidden(hub: Hub) -> None:
    environment = hub.prefix / "student"
    python = environment / "bin/python"
    shown = subprocess.run(
        [python, "-I", "-m", "pip", "show", "-f", "sft2rl"], capture_output=True, text=True
    )
    assert "Editable" not in shown.stdout and "sft2rl/checks/tokenizer.py" in shown.stdout
    gone = subprocess.run([python, "-I", "-c", "import autograder"], capture_output=True, text=True)
    assert "ModuleNotFoundError" in gone.stderr
    package = next(environment.glob("lib/python3*/site-packages/sft2rl"))
    for path in package.rglob("*"):
        if path.is_file() and path.suffix in (".py", ".ipynb", ".json", ".txt"):
            assert "BEGIN SOLUTION" not in path.read_text("utf-8", errors="ignore"), path
