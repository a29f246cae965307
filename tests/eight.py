"""Eight students of the tiny course, graded in several ways that must all end the same."""

import contextlib
from pathlib import Path

from tiny_class import RIGHT, Class, text

from autograder import classroom
from autograder.config import assignments

STUDENTS = [f"student{number}" for number in range(8)]
SOME = STUDENTS[:4]  # one with each answer
PAGES = "feedback/*/*/*.html"
ANSWERS = (
    RIGHT,
    {**RIGHT, "double": "def double(x): return 3 * x"},
    {**RIGHT, "Counter": "import os; os._exit(0)"},
    {},
)


def make_class(root: Path, students: list[str] = STUDENTS) -> Class:
    group = Class(root)
    group.course.key_file.write_bytes(b"k" * 32)  # one key for all of them
    for number, student in enumerate(students):
        group.hand_in(student, text(group.answered(**ANSWERS[number % len(ANSWERS)])))
    return group


def outcome(group: Class, students: list[str] = STUDENTS) -> dict:
    """All that students and TAs see."""
    return {
        each: (group.grades(each), group.comments(each), group.feedback(each)) for each in students
    }


def grade(
    group: Class, workers: int, students: list[str] = STUDENTS, **options
) -> list[classroom.Row]:
    assignments.cache_clear()
    try:
        with contextlib.chdir(group.root):
            return classroom.grade_class(
                group.course, group.assignment, students, workers=workers, **options
            )
    finally:
        assignments.cache_clear()
