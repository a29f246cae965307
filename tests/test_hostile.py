"""Submissions that attack the grader, each followed by an honest one: what they cost, and whom."""

import shutil
from pathlib import Path

import nbformat
import pytest

from autograder import build
from autograder.config import Assignment, assignments
from autograder.grade import score_files
from autograder.results import Result

TINY = Path(__file__).parent / "fixtures" / "tiny"
COUNTER = """class Counter:
    def __init__(self): self.n = 0
    def __call__(self):
        self.n += 1
        return self.n
"""
HONEST = "def double(x): return 2 * x"
# Each attack sits in the cell of `Counter`, whose 1.5 points it may cost; `double` is right.
ATTACKS = {
    "loops forever": "while True: pass",
    "allocates 50 GB": "block = bytearray(50 * 2**30)",
    "forks without end": "import os\nwhile True: os.fork()",
    "prints 2 GB": "for _ in range(2000): print('x' * 2**20)",
    "deletes its files": "import shutil; shutil.rmtree('/', ignore_errors=True)",
    "kills its own process": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "kills everything": "import os, signal; os.kill(-1, signal.SIGKILL)",
    "exits": "import os; os._exit(0)",
    "fills the disk": "f = open('/tmp/x', 'wb')\nwhile True: f.write(b'0' * 2**20)",
    "opens everything": "import os\nfs = []\nwhile True: fs.append(os.open('/dev/null', 0))",
}
# What a TA reads in the report: an incident, or an error shown under the cell.
NAMED = {
    "loops forever": "cell-timeout",
    "allocates 50 GB": "MemoryError",
    "forks without end": "BlockingIOError",
    "prints 2 GB": "output-truncated",
    "deletes its files": "",  # it has none, and all others are read only: nothing happens
    "kills its own process": "cell-crash",
    "kills everything": "ProcessLookupError",
    "exits": "cell-crash",
    "fills the disk": "OSError",
    "opens everything": "OSError",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Result, Result]]:
    """For each attack, its result and that of the honest submission graded after it."""
    root = tmp_path_factory.mktemp("hostile") / "tiny"
    shutil.copytree(TINY, root)
    assignment = assignments(root)[0]
    build.write(assignment)
    paths = []
    for name, attack in ATTACKS.items():
        folder = root / name.replace(" ", "_")
        paths.append(handed_in(assignment, folder / "bad", f"{attack}\n{COUNTER}"))
        paths.append(handed_in(assignment, folder / "good", COUNTER))
    broken = root / "not_json" / "tiny.ipynb"
    broken.parent.mkdir()
    broken.write_text("not a notebook")
    graded = score_files([*paths, broken, paths[1]], assignment, b"key")
    names = [*ATTACKS, "is not JSON"]
    return dict(zip(names, zip(graded[::2], graded[1::2], strict=True), strict=True))


def handed_in(assignment: Assignment, folder: Path, counter: str) -> Path:
    notebook = nbformat.read(assignment.released, as_version=4)
    for cell in notebook.cells:
        cell.source = {"double": HONEST, "Counter": counter}.get(cell.id, cell.source)
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / "tiny.ipynb")
    return folder / "tiny.ipynb"


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_costs_only_what_it_touches(results, name):
    result, honest = results[name]
    assert result.status == "graded" and result.exercises["double"].score == 2
    assert honest.score == 3.5 and not honest.incidents


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_named(results, name):
    result, _ = results[name]
    shown = str([incident.code for incident in result.incidents]) + str(result.outputs)
    assert NAMED[name] in shown


def test_what_is_no_notebook_is_graded_with_a_reason(results):
    result, honest = results["is not JSON"]
    assert result.status != "graded" and result.score == 0 and result.max_score == 3.5
    assert honest.score == 3.5
