"""Grades as files: plain CSV, Moodle's grade import, Canvas' gradebook import.

The imports are defined by Moodle's grade/import/csv/classes/load_data.php and by Canvas'
lib/gradebook_importer.rb. What follows from these for the files:

- Both replace a grade by none where a cell is empty. So who has no grade, or waits for it, is left
  out of the file and keeps in the LMS what is there.
- Moodle takes a line without an identifier for more grades of the student above it. So a column
  of identifiers is written only if everybody has one.
- Canvas ignores columns with words like "Final Score" in their name, and reads a number in
  brackets at its end as an assignment's. So such titles are refused.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

from autograder import cells
from autograder.config import CourseError
from autograder.marks import Mark, Marks, Person
from autograder.total import Total

FORMULA = ("=", "+", "-", "@")
MOODLE_MAXIMUM = 100
CANVAS_RESERVED = re.compile(r"(Current|Final) (Score|Points|Grade)|Override (Score|Grade|Status)")
CANVAS_NUMBER = re.compile(r".*\s\(\d+\)")
TOTAL = "Course total"
Rows = list[list[str]]


@dataclass(frozen=True)
class Column:
    """A column of grades; `canvas_id` is its assignment's number in Canvas, where known."""

    title: str
    points: float
    canvas_id: int | None = None


@dataclass(frozen=True)
class Line:
    """A student's grades by column; `waits` says what they wait for, "" if they are final."""

    person: Person
    values: tuple[float | None, ...]
    waits: str = ""


def text_of(rows: Rows) -> str:
    """The rows as CSV."""
    stream = io.StringIO()
    csv.writer(stream).writerows(rows)
    return stream.getvalue()


def assignment_csv(people: list[Person], marks: Marks) -> Rows:
    """One row per student, one column per exercise and written answer, then the sums."""
    names = [name.removeprefix(cells.TEST) for name in marks.maxima]
    sums = ["machine", "hand", "late_seconds", "penalty", "points", "max_points", "status"]
    rows = [["id", "last_name", "first_name", "email", *names, *sums]]
    for person in people:
        mark = marks.by_student[person.id]
        numbers = [*(mark.scores.get(name) for name in marks.maxima), *_sums(mark)]
        maximum = number(marks.max_points)
        rows.append([*_who(person), *map(number, numbers), maximum, guarded(mark.status)])
    return rows


def _sums(mark: Mark) -> list[float | None]:
    if mark.points is None:
        return [None] * 5
    return [mark.machine, mark.hand, mark.seconds_late, mark.penalty, mark.points]


def total_csv(people: list[Person], total: Total) -> Rows:
    """One row per student: the points of each assignment that counts, and the total."""
    names = [each.assignment.name for each in total.marks]
    rows = [["id", "last_name", "first_name", "email", *names, "total_percent", "status"]]
    for person in people:
        points = [each.by_student[person.id].points for each in total.marks]
        waits = guarded(waits_for(person, total.marks)) or "final"
        values = [*map(number, points), number(total.of(person.id))]
        rows.append([*_who(person), *values, waits])
    return rows


def waits_for(person: Person, marks: list[Marks]) -> str:
    """Which marks of a student are not the last word, and why."""
    found = ((each.assignment.name, each.by_student[person.id]) for each in marks)
    return ", ".join(f"{name}: {mark.status}" for name, mark in found if mark.waits)


def columns(marks: list[Marks]) -> list[Column]:
    """A column for each assignment."""
    return [
        Column(each.assignment.title, each.max_points, each.assignment.canvas_id) for each in marks
    ]


def lines(people: list[Person], marks: list[Marks], total: Total | None = None) -> list[Line]:
    """Everybody's line: the points of each assignment, and the total if there is one.

    In a total what was not handed in counts 0, and says so.
    """
    result = []
    for person in people:
        values = [each.by_student[person.id].points for each in marks]
        if total is not None:
            values = [*(value or 0.0 for value in values), total.of(person.id)]
        result.append(Line(person, tuple(values), waits_for(person, marks)))
    return result


def moodle(columns: list[Column], lines: list[Line]) -> Rows:
    """Moodle's grade import: identifiers by the names of Moodle's own export, then the grades.

    Raises:
        CourseError: an identifier cannot be written unchanged.
    """
    people = [line.person for line in lines]
    identifiers = {"Username": [each.id for each in people]}
    if all(each.lms_user_id for each in people):
        identifiers["ID number"] = [each.lms_user_id for each in people]
    if all(each.email for each in people):
        identifiers["Email address"] = [each.email for each in people]
    rows = [["First name", "Last name", *identifiers, *(each.title for each in columns)]]
    for place, line in enumerate(lines):
        names = [guarded(line.person.first_name), guarded(line.person.last_name)]
        ids = [identifier(values[place]) for values in identifiers.values()]
        rows.append([*names, *ids, *(number(value) or "-" for value in line.values)])
    return rows


def above_moodle_maximum(columns: list[Column]) -> list[str]:
    """The columns that Moodle refuses, unless its site allows grades above 100."""
    return [each.title for each in columns if each.points > MOODLE_MAXIMUM]


def canvas(columns: list[Column], lines: list[Line]) -> Rows:
    """Canvas' gradebook import. A student is found by ID, then SIS User ID, then login, then name.

    `lms_user_id` is Canvas' own number where it is a number, else the SIS User ID.

    Raises:
        CourseError: a title or an identifier cannot be written unchanged.
    """
    head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    possible = [
        "Points Possible",
        *[""] * (len(head) - 1),
        *(number(each.points) for each in columns),
    ]
    rows = [[*head, *map(_canvas_title, columns)], possible]
    for line in lines:
        person = line.person
        name = ", ".join(filter(None, [person.last_name, person.first_name])) or person.id
        lms = identifier(person.lms_user_id)
        ids = [lms, ""] if re.fullmatch(r"[0-9]*", lms) else ["", lms]
        row = [guarded(name), *ids, identifier(person.id), ""]
        rows.append([*row, *(number(value, 2) for value in line.values)])
    return rows


def _canvas_title(column: Column) -> str:
    if CANVAS_RESERVED.search(column.title):
        raise CourseError(
            f"Canvas would ignore a column called {column.title!r}: change it in course.toml."
        )
    if column.canvas_id is not None:
        return f"{column.title} ({column.canvas_id})"
    if CANVAS_NUMBER.fullmatch(column.title):
        raise CourseError(
            f"Canvas would read the number at the end of {column.title!r} as its own: give the "
            "assignment a canvas_id in course.toml."
        )
    return guarded(column.title)


def _who(person: Person) -> list[str]:
    return [
        guarded(each) for each in (person.id, person.last_name, person.first_name, person.email)
    ]


def number(value: float | None, digits: int = 4) -> str:
    """A number without needless digits; "" for none."""
    if value is None:
        return ""
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def guarded(text: str) -> str:
    """Text on one line that no spreadsheet takes for a formula: an apostrophe goes before it."""
    text = " ".join(text.split())
    return f"'{text}" if text.startswith(FORMULA) else text


def identifier(text: str) -> str:
    """An identifier, which an LMS must find unchanged.

    Raises:
        CourseError: a spreadsheet would take it for a formula.
    """
    if guarded(text) != text:
        raise CourseError(
            f"{text!r} identifies a student and cannot be written into a file for spreadsheets. "
            "Change it in the gradebook, or take the student out: `nbgrader db student`."
        )
    return text
