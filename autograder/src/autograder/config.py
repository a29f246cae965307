"""Where things are: the project's folders and the list of assignments in course.toml."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

# Tags of cells that only draw or train: they do not run in grading.
SKIPPED_TAGS = frozenset({"show", "train"})


class CourseError(Exception):
    """Something an instructor can mend; the message says how. Commands exit with status 2."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use in the sandbox.

    Attributes:
        cell_cpu_seconds: CPU time of one notebook cell.
        test_cpu_seconds: CPU time of one hidden test.
        memory_mb: data segment of one process, in MiB.
        processes: processes and threads at one time.
        output_kb: text and images kept of one cell, in KiB.
        loopback: whether internet sockets may be made, on the sandbox's private loopback.
        gpu: whether the notebook sees the machine's GPUs, where it has any, and gets its hidden
            inputs there.
        gpu_memory_mb: memory of GPUs that all its processes hold together, in MiB.
    """

    cell_cpu_seconds: int = 30
    test_cpu_seconds: int = 30
    memory_mb: int = 4096
    processes: int = 64
    output_kb: int = 256
    loopback: bool = False
    gpu: bool = False
    gpu_memory_mb: int = 8192


@dataclass(frozen=True)
class Assignment:
    """One entry of course.toml; `root` is the project's folder.

    Attributes:
        artefacts: the module that scores exercises by files beside the notebook; "" for none.
        weight: in the course's total; None: its points. All assignments have one, or none has.
        canvas_id: the number of this assignment in Canvas, for `course export`.
    """

    root: Path
    name: str
    notebook: str
    title: str
    section: str
    release: datetime
    due: datetime
    minutes: int
    limits: Limits
    artefacts: str = ""
    weight: float | None = None
    canvas_id: int | None = None

    @property
    def solution(self) -> Path:
        return self.root / "solutions" / self.name / f"{self.notebook}.py"

    @property
    def source(self) -> Path:
        """The instructor's notebook, made by `course build`."""
        return self.root / "build" / "source" / self.name / f"{self.notebook}.ipynb"

    @property
    def released(self) -> Path:
        return self.root / "assignments" / self.name / f"{self.notebook}.ipynb"

    @property
    def suite(self) -> Path:
        """The hidden suite: a file, or a folder where there is one."""
        folder = self.root / "autograder" / "suites" / f"test_{self.name}"
        return folder if folder.is_dir() else folder.with_name(f"{folder.name}.py")

    @property
    def suite_files(self) -> list[Path]:
        """The Python files of the hidden suite, sorted; none if it is not written yet."""
        if self.suite.is_dir():
            return sorted(self.suite.glob("*.py"))
        return [self.suite] if self.suite.is_file() else []

    @property
    def zoo(self) -> Path:
        return self.root / "autograder" / "zoo" / self.name


def project_root() -> Path:
    """The folder with course.toml: above the current one, or where this package lives."""
    here = Path.cwd()
    for folder in (here, *here.parents, *Path(__file__).resolve().parents):
        if os.path.isfile(folder / "course.toml"):  # False where this account may not look
            return folder
    raise CourseError("There is no course.toml here or above. Run this inside the project.")


def course_toml(root: Path | None = None) -> dict[str, Any]:
    """The tables of course.toml.

    Raises:
        CourseError: it is not TOML; the message has the line.
    """
    text = ((root or project_root()) / "course.toml").read_text("utf-8")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CourseError(f"course.toml cannot be read: {error}.") from error


@cache
def assignments(root: Path | None = None) -> tuple[Assignment, ...]:
    """The assignments of course.toml, in order.

    Raises:
        CourseError: an entry lacks a setting, or has one that does not exist or makes no sense.
    """
    root = root or project_root()
    table = course_toml(root)
    entries = [_assignment(root, table.get("limits", {}), each) for each in table["assignment"]]
    for name, count in Counter(each.name for each in entries).items():
        if count > 1:
            raise CourseError(f"course.toml has {count} assignments called {name!r}: rename one.")
    return tuple(entries)


def _assignment(root: Path, limits: dict[str, Any], entry: dict[str, Any]) -> Assignment:
    """One entry of course.toml, read with the limits that hold for all."""
    where = f"course.toml, assignment {entry.get('name', '(without a name)')}"
    limits = {**limits, **entry.get("limits", {})}
    _expect_settings(limits, Limits, f"{where}, limits")
    own = {"root": root, "limits": Limits(**limits)}
    _expect_settings({**entry, **own}, Assignment, where)
    for name in ("release", "due"):
        when = entry[name]
        if not isinstance(when, datetime) or when.tzinfo is None:
            raise CourseError(
                f"{where}: {name} must be a day, a time and an offset from UTC, "
                "like 2026-09-07T08:00:00+02:00."
            )
    return Assignment(**{**entry, **own})


def _expect_settings(table: dict[str, Any], kind: type, where: str) -> None:
    """See that a table has every setting that the dataclass needs, of its type, and no other."""
    known = {field.name: field for field in fields(kind)}
    for name in table:
        if name not in known:
            names = ", ".join(each for each in known if each != "root")
            raise CourseError(f"{where}: unknown setting {name!r}; there are {names}.")
    for name, field in known.items():
        if name not in table and field.default is MISSING:
            raise CourseError(f"{where}: {name} is missing.")
        wanted = {"str": str, "int": int, "bool": bool}.get(str(field.type))
        if name in table and wanted and type(table[name]) is not wanted:
            raise CourseError(f"{where}: {name} must be {_KINDS[wanted]}.")


_KINDS = {str: "a text in quotes", int: "a whole number, without quotes", bool: "true or false"}


def find_assignment(name: str) -> Assignment:
    """The assignment called `name`, or a CourseError that lists the names."""
    for assignment in assignments():
        if assignment.name == name:
            return assignment
    names = [assignment.name for assignment in assignments()]
    raise CourseError(
        f"There is no assignment {name!r}.{did_you_mean(name, names)} "
        f"course.toml lists: {', '.join(names)}. "
        "A new one needs an [[assignment]] there (docs/authoring.md)."
    )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question, with a space before it, that names what was probably meant; "" if nothing is."""
    spelt = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(name.casefold(), spelt, 1)
    return f" Did you mean {spelt[close[0]]!r}?" if close else ""


def course_dir(option: Path | None = None) -> Path:
    """The folder with a class's data: --course, or COURSE_DIR, or ./course."""
    return (option or Path(os.environ.get("COURSE_DIR", "course"))).resolve()
