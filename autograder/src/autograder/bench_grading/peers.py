"""Stock nbgrader and otter-grader, which run the same hidden tests in the notebook's kernel."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder import cells
from autograder.bench_grading.measure import Cost, Run, cost, measured
from autograder.bench_grading.ours import names
from autograder.config import Assignment, CourseError

OTTER = "otter-grader==7.0.0"
HOW = (
    f"make an environment with this course and {OTTER} (docs/scale.md) and name its interpreter "
    "with --otter"
)

_TEST_CELL = """from autograder.local import failures_here
failed = failures_here({root!r}, {name!r}, globals())
"""
_OTTER_TEST = """OK_FORMAT = False

from autograder.local import failures_here
from otter.test_files import test_case

name = {exercise!r}
points = {points!r}


@test_case(hidden=True)
def hidden_tests(env):
    if "wrong_exercises" not in env:
        env["wrong_exercises"] = failures_here({root!r}, {name!r}, env)
    assert name not in env["wrong_exercises"], env["wrong_exercises"]
"""


# --- nbgrader -----------------------------------------------------------------------------


def stock(
    assignment: Assignment, notebooks: list[NotebookNode], wrong: list[set[str]], folder: Path
) -> list[Cost]:
    """nbgrader as it comes.

    Args:
        wrong: the exercises that the floor finds wrong in each notebook.
    """
    name, file = assignment.name, f"{assignment.notebook}.ipynb"
    autograde, feedback = {}, {}
    for number in (1, len(notebooks)):
        root = folder / str(number)
        source = root / "source" / name / file
        source.parent.mkdir(parents=True)
        reference = nbformat.read(assignment.source, as_version=4)
        nbformat.write(with_tests(reference, assignment), source)
        measured(_nbgrader("generate_assignment", name), root, root)
        for student, notebook in zip(names(number), notebooks, strict=False):
            path = root / "submitted" / student / name / file
            path.parent.mkdir(parents=True)
            nbformat.write(with_tests(notebook, assignment), path)
        limit = "--ExecutePreprocessor.timeout=300"
        autograde[number] = measured(_nbgrader("autograde", name, limit), root, root)
        feedback[number] = measured(_nbgrader("generate_feedback", name), root, root)

    def agreed() -> int:
        return _agreed(_in_gradebook(root / "gradebook.db", assignment, len(notebooks)), wrong)

    return [
        cost("nbgrader autograde", len(notebooks), autograde.__getitem__, agreed),
        cost("nbgrader generate_feedback", len(notebooks), feedback.__getitem__),
    ]


def with_tests(notebook: NotebookNode, assignment: Assignment) -> NotebookNode:
    """The notebook as stock nbgrader needs it: without plots and training, its test cells last.

    The first of them runs the hidden tests of all exercises, as `floor` does.
    """
    notebook = without_plots(notebook)
    tests = [cell for cell in notebook.cells if cells.is_test(cell)]
    for cell in tests:
        cell.source = f"assert {cells.exercise_of(cell)!r} not in failed, failed"
    first = _TEST_CELL.format(root=str(assignment.root), name=assignment.name)
    tests[0].source = first + tests[0].source
    notebook.cells = [cell for cell in notebook.cells if not cells.is_test(cell)] + tests
    return notebook


def without_plots(notebook: NotebookNode) -> NotebookNode:
    """A copy without the cells that only draw or train."""
    notebook = nbformat.from_dict(notebook)
    notebook.cells = [cell for cell in notebook.cells if not cells.is_skipped(cell)]
    return notebook


def _in_gradebook(path: Path, assignment: Assignment, number: int) -> list[set[str]]:
    """The exercises that nbgrader found wrong for each student."""
    from nbgrader.api import Gradebook

    found = []
    with Gradebook(f"sqlite:///{path}") as book:
        for student in names(number):
            entry = book.find_submission_notebook(assignment.notebook, assignment.name, student)
            lost = [each.name for each in entry.grades if (each.auto_score or 0) < each.max_score]
            tests = [name for name in lost if name.startswith(cells.TEST)]
            found.append({name.removeprefix(cells.TEST) for name in tests})
    return found


def _nbgrader(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "nbgrader", *arguments]


# --- otter-grader -------------------------------------------------------------------------


def check_otter(python: str) -> None:
    """See that an interpreter has otter-grader and this course.

    Raises:
        CourseError: it has not.
    """
    command = [python, "-c", "import otter, autograder.local"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CourseError(f"{python} cannot be run ({error.strerror}): {HOW}.") from error
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1]
        raise CourseError(f"{python} has no otter-grader or not this course ({last}): {HOW}.")


def otter(
    python: str,
    assignment: Assignment,
    notebooks: list[NotebookNode],
    wrong: list[set[str]],
    folder: Path,
) -> Cost:
    """`otter run`, once for each submission; `otter generate` is what is done once."""
    write_otter_tests(notebooks[0], assignment, folder / "tests")
    command = ["generate", "-t", "tests", "-o", "autograder.zip"]
    once = measured([python, "-m", "otter", *command], folder, folder)
    runs, found = [], []
    for student, notebook in zip(names(len(notebooks)), notebooks, strict=True):
        path = folder / student / f"{assignment.notebook}.ipynb"
        path.parent.mkdir()
        nbformat.write(for_otter(notebook), path)
        command = ["run", "-a", "autograder.zip", "-o", student, str(path.relative_to(folder))]
        runs.append(measured([python, "-m", "otter", *command], folder, folder))
        results = json.loads((path.parent / "results.json").read_text("utf-8"))
        lost = [
            each for each in results["tests"] if each.get("score", 0) < each.get("max_score", 0)
        ]
        found.append({each["name"] for each in lost})
    return _sum("otter run", runs, once, _agreed(found, wrong))


def write_otter_tests(notebook: NotebookNode, assignment: Assignment, folder: Path) -> None:
    """A test file for each exercise; the first that runs calls the hidden tests of all."""
    folder.mkdir(parents=True)
    for exercise, points in cells.exercises(notebook).items():
        text = _OTTER_TEST.format(
            exercise=exercise, points=points, root=str(assignment.root), name=assignment.name
        )
        (folder / f"{exercise}.py").write_text(text, "utf-8")


def for_otter(notebook: NotebookNode) -> NotebookNode:
    """The notebook as otter needs it: without plots and training, its tests in files."""
    notebook = without_plots(notebook)
    notebook.cells = [cell for cell in notebook.cells if not cells.is_test(cell)]
    return notebook


def _sum(side: str, runs: list[Run], once: Run, agreed: int) -> Cost:
    """The cost of a side that starts anew for every submission."""
    number, wall = len(runs), sum(run.wall for run in runs)
    cpu = sum(run.cpu for run in runs) / number
    return Cost(side, number, cpu, once.cpu, runs[0].wall, wall / number, wall, agreed=agreed)


def _agreed(found: list[set[str]], wrong: list[set[str]]) -> int:
    return sum(ours == theirs for ours, theirs in zip(wrong, found, strict=True))
