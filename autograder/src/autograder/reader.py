"""Reads what a student handed in. Nothing in the file or around it can make this raise.

The folder is untrusted: it may hold links, devices, bombs, or nothing. The file is opened without
following links, its size is known before it is read, and only the cells' type, source and
nbgrader id are taken from it.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autograder.results import Incident

MAX_BYTES = 64 * 2**20
MAX_BRACKETS = 300_000
MAX_COMMAS = 5_000_000
MAX_CELLS = 2_000
MAX_FILES = 100
UNREADABLE = "unreadable notebook: "
MISSING = "missing"
CELL_TYPES = frozenset({"code", "markdown", "raw"})


class Unreadable(Exception):
    """The reason why there is no notebook; ends as the status of the submission."""


@dataclass(frozen=True)
class StudentCell:
    """What is taken over from a cell that was handed in."""

    cell_type: str
    source: str
    grade_id: str | None
    cell_id: str | None


@dataclass(frozen=True)
class HandedIn:
    """What was handed in: cells, or the reason why there are none.

    Attributes:
        problem: "" when it could be read, otherwise the status to report.
        release: the hash of the released version that the notebook says it was made from.
        assignment: the assignment that the notebook says it belongs to.
    """

    cells: tuple[StudentCell, ...] = ()
    problem: str = ""
    release: str | None = None
    assignment: str | None = None
    incidents: tuple[Incident, ...] = field(default=())


def read_file(path: Path) -> HandedIn:
    """Read one notebook; the path itself must not be a link."""
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return HandedIn(problem=MISSING)
    try:
        return _read(folder, path.name)
    finally:
        os.close(folder)


def read_folder(path: Path, name: str, assignment: str, grade_ids: Iterable[str]) -> HandedIn:
    """Read the notebook of an assignment from the folder that a student handed in.

    Args:
        path: the folder; must not be a link.
        name: the file name that the notebook was released under.
        assignment: tells this assignment's notebooks when the file was renamed.
        grade_ids: the ids of the release's cells, for the same purpose.
    """
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return HandedIn(problem=MISSING)
    except OSError:
        return HandedIn(problem=UNREADABLE + "its folder is a link or cannot be opened")
    try:
        return _read_from(folder, name, assignment, frozenset(grade_ids))
    finally:
        os.close(folder)


def _read_from(folder: int, name: str, assignment: str, grade_ids: frozenset[str]) -> HandedIn:
    found = sorted(each for each in os.listdir(folder) if each.endswith(".ipynb"))[:MAX_FILES]
    others = [each for each in found if each != name]
    if name in found:
        submission = _read(folder, name)
        if not others:
            return submission
        incident = Incident("other-notebooks", None, ", ".join(map(printable, others[:5])))
        return replace(submission, incidents=(incident,))
    ours = [
        (each, submission)
        for each, submission in ((each, _read(folder, each)) for each in others)
        if submission.assignment == assignment
        or grade_ids & {cell.grade_id for cell in submission.cells}
    ]
    if len(ours) == 1:
        other, submission = ours[0]
        detail = f"{printable(other)} was read in place of {name}"
        return replace(submission, incidents=(Incident("renamed", None, detail),))
    if len(ours) > 1:
        names = ", ".join(printable(each) for each, _ in ours[:5])
        return HandedIn(problem=MISSING, incidents=(Incident("other-notebooks", None, names),))
    return HandedIn(problem=MISSING)


def _read(folder: int, name: str) -> HandedIn:
    try:
        return _parsed(_content(folder, name))
    except FileNotFoundError:
        return HandedIn(problem=MISSING)
    except Unreadable as reason:
        return HandedIn(problem=f"{UNREADABLE}{reason}")
    except OSError:
        return HandedIn(problem=UNREADABLE + "the file cannot be opened")


def content_of(path: Path, limit: int) -> bytes:
    """The bytes of a regular file in a folder that is no link.

    Raises:
        OSError, Unreadable: there is no such file.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        return _content(folder, path.name, limit)
    finally:
        os.close(folder)


def _content(folder: int, name: str, limit: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file of acceptable size, whatever stands at its name."""
    if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        raise Unreadable("it is a link, not a file")
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open(os.open(name, flags, dir_fd=folder), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("it is not a regular file")
        if status.st_size > limit:
            raise Unreadable(f"it is larger than {limit // 2**20} MB")
        return file.read(limit)


def _parsed(content: bytes) -> HandedIn:
    if not content.strip():
        raise Unreadable("the file is empty")
    if content.count(b"{") + content.count(b"[") > MAX_BRACKETS:
        raise Unreadable("it has too many parts")
    if content.count(b",") > MAX_COMMAS:
        raise Unreadable("it has too many parts")
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Unreadable("it is not UTF-8 text") from None
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    except ValueError:
        raise Unreadable("it is not JSON") from None
    return _checked(notebook)


def _checked(notebook: Any) -> HandedIn:
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise Unreadable("it is not a Jupyter notebook of format 4")
    if notebook.get("nbformat") != 4:
        raise Unreadable("it is not a Jupyter notebook of format 4")
    if len(notebook["cells"]) > MAX_CELLS:
        raise Unreadable(f"it has more than {MAX_CELLS} cells")
    ours = _mapping(_mapping(notebook.get("metadata")).get("sft2rl"))
    return HandedIn(
        cells=tuple(_cell(cell) for cell in notebook["cells"] if isinstance(cell, dict)),
        release=_name(ours.get("release")),
        assignment=_name(ours.get("assignment")),
    )


def _cell(cell: dict[str, Any]) -> StudentCell:
    source = cell.get("source")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        source = ""
    kind = cell.get("cell_type")
    entry = _mapping(_mapping(cell.get("metadata")).get("nbgrader"))
    return StudentCell(
        cell_type=kind if isinstance(kind, str) and kind in CELL_TYPES else "raw",
        source=source.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode(),
        grade_id=_name(entry.get("grade_id")),
        cell_id=_name(cell.get("id")),
    )


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 200 else None


def printable(text: str, limit: int = 80) -> str:
    """A student's text for a table, a log or a terminal: one line without control characters."""
    clean = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"
