"""`course doctor`: what is wrong with this installation, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from autograder.config import Assignment, CourseError, Limits, project_root
from autograder.course import Course, require_account
from autograder.preload import preload_of
from sft2rl import __version__

PACKAGES = ("nbgrader", "jupyterlab", "torch", "transformers", "tokenizers", "pyseccomp")
LEAST_GB = 2
TO_BE_MADE = "will be made by the first `course release` or `course grade`"
MOST_SKEW = 5.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `advice` is empty when it is fine."""

    what: str
    found: str
    advice: str = ""


@cache
def require_sandbox(assignment: Assignment | None = None) -> None:
    """Start a sandbox once in this process.

    Args:
        assignment: whose notebooks will run next; by default only what all need is there.

    Raises:
        SandboxUnavailable: the sentence says why and what to install.
    """
    from autograder.sandbox import Sandbox

    limits = assignment.limits if assignment else Limits()
    with Sandbox(limits, preload_of(assignment) if assignment else ()):
        pass


def examine(course: Path) -> Iterator[Finding]:
    """Everything `course doctor` looks at, in order."""
    from autograder import doctor_hub

    yield Finding("sft2rl", __version__)
    yield _python()
    yield from map(_package, PACKAGES)
    yield _pins()
    yield _sandbox()
    yield _project()
    yield _course_folder(course)
    if course.is_dir():
        yield _disk(course)
        yield _clock(course)
    if (course / "nbgrader_config.py").is_file():
        yield _gradebook(course)
    yield from doctor_hub.for_hub(course)


def _python() -> Finding:
    advice = "" if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: `make setup`."
    return Finding("python", platform.python_version(), advice)


def _package(name: str) -> Finding:
    try:
        return Finding(name, version(name))
    except PackageNotFoundError:
        return Finding(name, "not installed", "Run `make setup`.")


def _pins() -> Finding:
    """Whether what is installed is what requirements.lock says: scores depend on it."""
    try:
        lines = (project_root() / "requirements.lock").read_text("utf-8").splitlines()
    except (OSError, CourseError):
        return Finding("pins", "there is no requirements.lock to compare with")
    pins = dict(line.strip().split("==") for line in lines if "==" in line)
    other = [
        f"{name} {found}, not {pin}" for name, pin in pins.items() if (found := _other(name, pin))
    ]
    if other:
        shown = "; ".join(other[:5]) + ("; ..." if len(other) > 5 else "")
        advice = "Run `make setup`, or on a hub `bash hub/install.sh`."
        return Finding("pins", f"{len(other)} of {len(pins)} differ: {shown}", advice)
    return Finding("pins", f"none of {len(pins)} in requirements.lock differs")


def _other(name: str, pin: str) -> str:
    """What is installed instead of a pin; "" if it is the pin, or nothing is needed there.

    Parts of the lock are for development only; a local version (+cpu) is the same release.
    """
    try:
        found = version(name)
    except PackageNotFoundError:
        return ""
    return "" if found.split("+")[0] == pin else found


def _disk(course: Path) -> Finding:
    free = shutil.disk_usage(course).free / 2**30
    advice = "" if free >= LEAST_GB else f"Less than {LEAST_GB} GB: grading stops when it is full."
    return Finding("disk", f"{free:.1f} GB free at {course}", advice)


def _clock(course: Path) -> Finding:
    """Whether the file system's clock is ours: lateness is judged by both."""
    try:
        with tempfile.NamedTemporaryFile(dir=course) as file:
            skew = os.stat(file.name).st_ctime - time.time()
    except OSError as error:
        return Finding(
            "clock", f"cannot be compared: {error.strerror}", "Check the folder's owner."
        )
    if abs(skew) > MOST_SKEW:
        advice = "Synchronise the clocks of this machine and of its file server (NTP)."
        return Finding("clock", f"the file system's differs by {skew:.0f} s", advice)
    return Finding("clock", f"{time.strftime('%d %B %Y, %H:%M %z')}, the file system's too")


def _gradebook(course: Path) -> Finding:
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import SQLAlchemyError

    from autograder.backup import gradebook_file
    from autograder.classroom import nbgrader_api

    try:
        file = gradebook_file(Course(course))
        if file and not file.exists():
            return Finding("gradebook", f"{file}: will be made by the first `course grade`")
        url = nbgrader_api(Course(course)).coursedir.db_url
        with create_engine(url).connect() as connection:
            verdict = connection.execute(text("PRAGMA quick_check" if file else "SELECT 'ok'"))
            found = str(verdict.scalar())
    except (SQLAlchemyError, CourseError, OSError) as error:
        reason = str(error).splitlines()[0]
        return Finding(
            "gradebook", reason, "Is its server running, and c.CourseDirectory.db_url right?"
        )
    if found != "ok":
        return Finding("gradebook", found, "It is damaged: `course restore` the last backup.")
    return Finding("gradebook", str(file or "the server answers"))


def _sandbox() -> Finding:
    try:
        require_sandbox()
    except CourseError as error:
        return Finding("sandbox", "not available", str(error))
    return Finding("sandbox", "starts")


def _project() -> Finding:
    try:
        return Finding("project", str(project_root()))
    except CourseError as error:
        return Finding("project", "not found", str(error))


def _course_folder(root: Path) -> Finding:
    course = Course(root)
    if not root.exists():
        parent = next(each for each in root.parents if each.exists())
        if os.access(parent, os.W_OK):
            return Finding("course folder", f"{root}: {TO_BE_MADE}")
        return Finding("course folder", str(root), f"{parent} cannot be written: use --course.")
    if (root / "course" / course.config_file.name).is_file():
        return Finding("course folder", str(root), f"The class is in {root / 'course'}: name that.")
    if not os.access(root, os.W_OK):
        return Finding("course folder", str(root), "It cannot be written: check its owner.")
    if not any(root.iterdir()):
        return Finding("course folder", f"{root}, empty: {TO_BE_MADE}")
    try:
        require_account(root)
        course.key()
    except CourseError as error:
        return Finding("course folder", str(root), str(error))
    return Finding("course folder", str(root))
