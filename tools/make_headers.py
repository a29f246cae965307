"""Writes the head of every notebook (title, section, minutes, points, map) from course.toml."""

import re

from nbformat import NotebookNode

from autograder import cells
from autograder.build import parse_source
from autograder.config import Assignment, assignments


def name(assignment: Assignment) -> str:
    """As the notebooks call each other: `09 · Preferences and DPO`."""
    number = assignment.name.split("_")[0]
    return f"{number} · {assignment.title}" if number.isdigit() else assignment.title


def exercise_minutes(notebook: NotebookNode) -> int:
    """The sum of the minutes that the headings of the exercises give."""
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return sum(map(int, re.findall(r"^### Exercises?: .*\D(\d+) minutes?\b", prose, re.M)))


def head(assignment: Assignment) -> tuple[str, str, str]:
    """The title, the line below it, and the map, as comments of a percent script."""
    notebook, everything = parse_source(assignment), assignments()
    place = everything.index(assignment)
    machine = sum(cells.exercises(notebook).values())
    hand = sum(cells.manual(notebook).values())
    before = name(everything[place - 1]) if place else "the start"
    after = name(everything[place + 1]) if place + 1 < len(everything) else "your own work"
    return (
        f"# # {name(assignment)}",
        f"# Lecture {assignment.section} · about {assignment.minutes} minutes, "
        f"{exercise_minutes(notebook)} of them for the exercises · "
        f"{machine:g} points by machine, {hand:g} by hand",
        f"# **Map** {before} → **{name(assignment)}** → {after}",
    )


def with_head(assignment: Assignment) -> str:
    """The source with its head as it has to be."""
    source = assignment.solution.read_text("utf-8")
    title, line, map_ = head(assignment)
    source = _replaced(r"^# # .*$", title, source, assignment)
    source = _replaced(r"^# Lecture .*(?:\n# .+)*$", line, source, assignment)
    return _replaced(r"^# \*\*Map.*(?:\n# .+)*$", map_, source, assignment)


def _replaced(pattern: str, text: str, source: str, assignment: Assignment) -> str:
    new, found = re.subn(pattern, lambda _: text, source, count=1, flags=re.M)
    if not found:
        raise SystemExit(f"{assignment.solution} has no line like {text!r}: add one.")
    return new


if __name__ == "__main__":
    for each in assignments():
        each.solution.write_text(with_head(each), "utf-8")
