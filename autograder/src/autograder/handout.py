"""What students are given after an assignment: its model solutions, and errata.

Each is a small assignment of its own in nbgrader's exchange (`01_tokenizer_solution`,
`01_tokenizer_erratum_1`), so it appears in the list where students fetch, and fetching it touches
nothing that they have begun. An erratum also lies in the folder of the assignment itself, for those
who fetch that later, and for `nbgrader fetch_assignment NAME --replace`, which adds missing files.
"""

from __future__ import annotations

from datetime import UTC, datetime

import nbformat
from nbformat import NotebookNode

from autograder import classroom
from autograder.build import BEGIN, END, NOTEBOOK_METADATA, read_source
from autograder.cells import to_text
from autograder.config import Assignment, CourseError
from autograder.course import Course
from autograder.deadlines import last_deadline

NOTE = "**These are the model answers.** There is nothing to submit here."


def solved(assignment: Assignment) -> NotebookNode:
    """The notebook with model answers, without nbgrader's marks; hidden tests were never in it."""
    notebook = read_source(assignment)
    notebook.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        lines = cell.source.split("\n")
        cell.source = "\n".join(line for line in lines if line.strip() not in (BEGIN, END))
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(NOTE, id="model-answers"))
    return notebook


def too_early(course: Course, assignment: Assignment, now: datetime | None = None) -> str:
    """Why the solutions are not to be given out now; "" when they may be."""
    if assignment.name not in classroom.released_names(course):
        return f"{assignment.name} was not released from {course.root}."
    with classroom.gradebook(classroom.nbgrader_api(course)) as book:
        last = last_deadline(course, book, assignment)
    if (now or datetime.now(UTC)) >= last:
        return ""
    kind = "its deadline" if last == assignment.due else "the latest extension"
    return f"{assignment.name}: {kind} ends on {last:%d %B %Y, %H:%M %z}."


def release_solutions(course: Course, assignment: Assignment) -> str:
    """Give out the model answers; says where they are."""
    name = f"{assignment.name}_solution"
    return _give_out(course, name, f"{assignment.notebook}_solution", solved(assignment))


def release_erratum(course: Course, assignment: Assignment, text: str) -> str:
    """Give out a correction, to those who have begun and those who have not; says where it is.

    If the assignment itself was corrected, that release is given out as well: who has fetched it
    before keeps theirs, and is graded on it.
    """
    if assignment.name not in classroom.released_names(course):
        raise CourseError(f"{assignment.name} was not released: correct its source instead.")
    folder = course.root / "source" / assignment.name
    number = 1 + len(list(folder.glob("ERRATUM_*.md")))
    written = folder / f"ERRATUM_{number}.md"
    written.write_text(f"{text.strip()}\n", "utf-8")
    try:
        classroom.release(course, assignment)
    except CourseError:
        written.unlink()
        raise
    title = f"# Erratum {number} to {assignment.title}\n\n{text.strip()}"
    notebook = nbformat.v4.new_notebook(metadata=NOTEBOOK_METADATA)
    notebook.cells = [nbformat.v4.new_markdown_cell(title, id="erratum")]
    return _give_out(course, f"{assignment.name}_erratum_{number}", "erratum", notebook)


def _give_out(course: Course, name: str, title: str, notebook: NotebookNode) -> str:
    made = course.root / "release" / name / f"{title}.ipynb"
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_text(to_text(notebook), "utf-8")
    return f"{made}{classroom.into_exchange(classroom.nbgrader_api(course), name)}"
