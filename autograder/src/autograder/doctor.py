"""`course doctor`: what is wrong with this installation, and what to do about it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from autograder.config import CourseError, Limits, project_root
from autograder.course import Course

PACKAGES = ("nbgrader", "jupyterlab", "torch", "transformers", "tokenizers", "pyseccomp")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `advice` is empty when it is fine."""

    what: str
    found: str
    advice: str = ""


@cache
def require_sandbox() -> None:
    """Start a sandbox once in this process.

    Raises:
        SandboxUnavailable: the sentence says why and what to install.
    """
    from autograder.sandbox import Sandbox

    with Sandbox(Limits()):
        pass


def examine(course: Path) -> Iterator[Finding]:
    """Everything `course doctor` looks at, in order."""
    yield _python()
    yield from map(_package, PACKAGES)
    yield _sandbox()
    yield _project()
    yield _course_folder(course)


def _python() -> Finding:
    advice = "" if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: `make setup`."
    return Finding("python", platform.python_version(), advice)


def _package(name: str) -> Finding:
    try:
        return Finding(name, version(name))
    except PackageNotFoundError:
        return Finding(name, "not installed", "Run `make setup`.")


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
            return Finding("course folder", f"{root}: will be made by the first `course grade`")
        return Finding("course folder", str(root), f"{parent} cannot be written: use --course.")
    if not os.access(root, os.W_OK):
        return Finding("course folder", str(root), "It cannot be written: check its owner.")
    try:
        course.key()
    except CourseError as error:
        return Finding("course folder", str(root), str(error))
    return Finding("course folder", str(root))
