"""Every attack as a real submission, graded between two honest ones, with canaries planted.

For each: the score it deserves, an incident that names it, nothing leaked, nothing changed outside
the sandbox, no process left, and the next submission graded as if nothing had happened.
"""

import contextlib
import hashlib
import shutil
from pathlib import Path

import nbformat
import psutil
import pytest
from attacks import ATTACKS, HONEST, RIGHT, Attack
from tiny_class import COUNTER, TINY

from autograder import build
from autograder.config import Assignment, assignments
from autograder.grade import score_files
from autograder.results import Result
from autograder.sandbox import FIRST_UID

TRIED = {each.name: each for each in [*ATTACKS, *HONEST]}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny course, with canaries in the suite, the reference and a file beside them."""
    root = tmp_path_factory.mktemp("attacks") / "tiny"
    shutil.copytree(TINY, root)
    suite = root / "autograder" / "suites" / "test_00_tiny.py"
    suite.write_text(suite.read_text() + '\nSECRET = "CANARY_TEST"\n')
    solution = root / "solutions" / "00_tiny" / "tiny.py"
    source = solution.read_text().replace("twice_the_argument", "CANARY_REF")
    solution.write_text(source)
    (root / "secret.txt").write_text("CANARY_FILE")
    build.write(assignments(root)[0])
    return root


def notebook(assignment: Assignment, folder: Path, attack: Attack) -> Path:
    content = nbformat.read(assignment.released, as_version=4)
    for cell in content.cells:
        cell.source = {"double": attack.answer, "Counter": COUNTER}.get(cell.id, cell.source)
    if attack.cell:
        content.cells.insert(2, nbformat.v4.new_code_cell(attack.cell))
    folder.mkdir(parents=True)
    nbformat.write(content, folder / "tiny.ipynb")
    return folder / "tiny.ipynb"


def snapshot(folder: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("name", TRIED)
def test_an_attack_gains_nothing_and_costs_nobody(
    name: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack, (assignment,) = TRIED[name], assignments(root)
    monkeypatch.setenv("CANARY_ENV_NAME", "CANARY_ENV")
    honest = notebook(assignment, tmp_path / "honest", Attack("honest", answer=RIGHT))
    hostile = notebook(assignment, tmp_path / "hostile", attack)
    before = snapshot(root), snapshot(tmp_path)
    result, following = score_files([hostile, honest], assignment, b"key")

    assert result.status == "graded"
    assert result.exercises["double"].score == attack.double
    assert result.exercises["Counter"].score == attack.counter
    codes = [incident.code for incident in result.incidents]
    assert any(code.startswith(attack.code) for code in [*codes, ""] if code or not attack.code)
    # What a student may ever see: messages of tests, incidents, outputs of the run.
    seen = str(result.as_dict("", "")) + str(result.outputs).replace("\\n", "\n")
    assert attack.shown in seen
    for source in (attack.cell, attack.answer):  # what the student wrote is no leak
        seen = seen.replace(source, "")
    assert "CANARY_TEST" not in seen and "CANARY_REF" not in seen and "CANARY_FILE" not in seen
    assert "CANARY_ENV" not in seen and "CANARY_OTHER" not in seen
    assert "CANARY_INPUT" not in str(result.as_dict("", "")) + _outputs_of_calls(result, attack)
    assert len(str(result.outputs)) < 5_000_000

    assert following.score == 3.5 and not following.incidents
    assert (snapshot(root), snapshot(tmp_path)) == before
    assert not Path("/tmp/CANARY_PWNED").exists()
    assert not _sandboxed()


def _outputs_of_calls(result: Result, attack: Attack) -> str:
    """The outputs, unless the attack printed while the notebook ran, before any hidden input."""
    return "" if "CANARY_INPUT" in attack.cell else str(result.outputs)


def _sandboxed() -> list[psutil.Process]:
    """Processes of sandboxes of this process that still run (where the grader is root)."""
    family = psutil.Process().children(recursive=True)
    found = []
    for each in family:
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            if each.uids().real >= FIRST_UID:
                found.append(each)
    return found


def test_the_catalogue_names_each_attack_once() -> None:
    assert len(TRIED) == len(ATTACKS) + len(HONEST) >= 80
