"""`make demo`: a class of twelve hands in the first assignment, and is graded.

Every submission is the released notebook with answers filled in: the reference's, or those of the
zoo, which are what students really write. The class lies in demo/, a course folder of its own with
the development key.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from rich.console import Console
from rich.markup import escape

from autograder import build, cells, check
from autograder.classroom import Row, ensure_assignment, grade_class, gradebook, nbgrader_api
from autograder.cli.grading import print_rows
from autograder.config import Assignment, CourseError, assignments, find_assignment, project_root
from autograder.course import Course, open_course

ASSIGNMENT = "01_tokenizer"
IN_TIME, LATE = "2026-09-20 18:30:00 UTC", "2026-09-23 07:12:00 UTC"
MARKER = re.compile(r"(?m)^ *### (?:BEGIN|END) SOLUTION\n?")
WRITTEN = "A lower perplexity per token only compares models that share one tokenizer."


@dataclass(frozen=True)
class Person:
    """One student: what they hand in differs from the reference in `answers`.

    Attributes:
        answers: sources by exercise; None deletes the cell, "" leaves the stub.
        solved: False when everything else is left unsolved, too.
    """

    id: str
    first: str
    last: str
    answers: dict[str, str | None] = field(default_factory=dict)
    solved: bool = True
    timestamp: str = IN_TIME


SYNTAX_ERROR = """\
def corpus_perplexity(list_of_logps):
    n = sum(len(logps) for logps in list_of_logps
    return math.exp(-sum(logps.sum() for logps in list_of_logps) / n)
"""
ENDLESS_LOOP = """\
def decode(ids, vocab):
    data, i = b"", 0
    while i < len(ids):
        data += vocab[ids[i]]
    return data.decode("utf-8", errors="replace")
"""
CHEAT = """\
import torch

class Right:
    def __eq__(self, other):
        return True
    def __hash__(self):
        return 0

torch.equal = torch.allclose = lambda *args, **kwargs: True
torch.testing.assert_close = lambda *args, **kwargs: None

def {name}(*args, **kwargs):
    return Right()
"""


def people(assignment: Assignment) -> list[Person]:
    """The class, with the answers that make each of them a case of its own."""
    zoo = {f"{each.exercise}/{each.name}": _body(each) for each in check.load_zoo(assignment)}
    reference = _reference(assignment)
    names = list(reference)
    second_half = names[names.index("token_logps") :]
    renamed = reference["shift_labels"].replace("def shift_labels(", "def shifted(")
    return [
        Person("alaurent", "Amélie", "Laurent"),
        Person("jweber", "Jonas", "Weber", {"merge_pair": zoo["merge_pair/from_the_right"]}),
        Person("pnair", "Priya", "Nair", {"pre_tokenize": zoo["pre_tokenize/ascii"]}),
        Person("mgarcia", "Mateo", "García", {"train_bpe": zoo["train_bpe/first_seen"]}),
        Person("cdubois", "Chloé", "Dubois", dict.fromkeys(second_half, "")),
        Person("lnovak", "Lukáš", "Novák", solved=False),
        Person("srossi", "Sofia", "Rossi", timestamp=LATE),
        Person("ktanaka", "Kenji", "Tanaka", {"corpus_perplexity": SYNTAX_ERROR}),
        Person("ihaugen", "Ingrid", "Haugen", {"decode": ENDLESS_LOOP}),
        Person("ohaddad", "Omar", "Haddad", {"shift_labels": renamed}),
        Person("eyilmaz", "Elif", "Yılmaz", {"count_pairs": None}),
        Person("vorlov", "Viktor", "Orlov", {n: CHEAT.format(name=n) for n in names}, solved=False),
    ]


def _body(answer: check.Answer) -> str:
    """An answer of the zoo without the docstring that says what is wrong with it."""
    first, *rest = ast.parse(answer.source).body
    lines = answer.source.splitlines()
    return "\n".join(lines[rest[0].lineno - 1 :] if isinstance(first, ast.Expr) else lines)


@cache
def _reference(assignment: Assignment) -> dict[str, str]:
    """The reference's solution cells, by exercise, as a student would write them."""
    return {
        cells.grade_id(cell) or "": MARKER.sub("", cell.source)
        for cell in build.read_source(assignment).cells
        if cells.is_solution(cell) and not cells.is_written(cell)
    }


def submission(assignment: Assignment, person: Person) -> NotebookNode:
    """The released notebook as this person hands it in."""
    reference = _reference(assignment)
    notebook = nbformat.read(assignment.released, as_version=4)
    kept = []
    for cell in notebook.cells:
        name = cells.grade_id(cell) or ""
        if name in person.answers:
            answer = person.answers[name]
            if answer is None:
                continue
            cell.source = answer or cell.source
        elif person.solved and cells.is_written(cell):
            cell.source = WRITTEN
        elif person.solved and cells.is_solution(cell):
            cell.source = reference[name]
        kept.append(cell)
    notebook.cells = kept
    return notebook


def hand_in(course: Course, assignment: Assignment, person: Person) -> None:
    """Put a submission where nbgrader's collect would put it."""
    folder = course.submitted(assignment.name, person.id)
    folder.mkdir(parents=True)
    notebook = submission(assignment, person)
    path = folder / f"{assignment.notebook}.ipynb"
    path.write_text(json.dumps(notebook, ensure_ascii=False), "utf-8")
    (folder / "timestamp.txt").write_text(person.timestamp)


def make_class(root: Path) -> tuple[Course, Assignment, list[Person]]:
    """A new course folder with the class's submissions and names."""
    if root.exists() and not Course(root).development_mark.exists():
        raise CourseError(f"{root} is not a demo: move it away.")
    shutil.rmtree(root, ignore_errors=True)
    assignment = find_assignment(ASSIGNMENT)
    course = open_course(root, development=True)
    group = people(assignment)
    api = nbgrader_api(course)
    ensure_assignment(api, course, assignment)
    with gradebook(api) as book:
        for person in group:
            names = {"first_name": person.first, "last_name": person.last}
            book.update_or_create_student(person.id, **names)
    for person in group:
        hand_in(course, assignment, person)
    return course, assignment, group


def run(root: Path, tell: Callable[[str], None]) -> dict[str, Row]:
    """Make the class and grade it; rows by the student's name."""
    tell("twelve students hand in")
    course, assignment, group = make_class(root)
    ids = [person.id for person in group]
    workers = os.cpu_count() or 1
    rows = grade_class(
        course, assignment, ids, progress=lambda who: tell(f"graded {who}"), workers=workers
    )
    names = [f"{person.first} {person.last}" for person in group]
    return {name: replace(row, student=name) for name, row in zip(names, rows, strict=True)}


def main() -> int:
    """Run the demo and say where everything lies."""
    console, root = Console(), project_root() / "demo"
    started = time.monotonic()
    try:
        with Console(stderr=True).status("demo") as status:
            for assignment in assignments():
                if assignment.solution.is_file():
                    status.update(f"building {assignment.name}")
                    build.write(assignment)
            rows = run(root, lambda text: status.update(escape(text)))
    except CourseError as error:
        console.print(f"[bold red]demo:[/] {escape(str(error))}", highlight=False)
        return 2
    print_rows(list(rows.values()))
    page = root / "feedback" / "jweber" / ASSIGNMENT / "tokenizer.html"
    seconds = time.monotonic() - started
    lines = [
        f"Graded through nbgrader into {root / 'gradebook.db'} in {seconds:.0f} seconds.",
        f"A student's feedback: {page}",
        f"Formgrader: cd {root.name} && ../.venv/bin/jupyter lab, then Nbgrader > Formgrader.",
    ]
    console.print("\n".join(lines), highlight=False, soft_wrap=True)
    return 1 if any(row.failed for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
