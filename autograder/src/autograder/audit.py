"""What a grade followed from, kept with it."""

from __future__ import annotations

import hashlib
import json
import platform
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from autograder.config import Assignment
from autograder.grade import digest
from autograder.results import Result
from sft2rl import __version__

LIBRARIES = ("torch", "numpy", "transformers", "tokenizers")
SANDBOX = "bubblewrap, namespaces, seccomp"


def trace(notebook: NotebookNode, assignment: Assignment, key: bytes) -> dict[str, Any]:
    """Everything that decides a score, named; the same for every run of the same grading."""
    return {
        "submission": digest(notebook),
        "release": notebook.metadata.sft2rl.release,
        "suite": suite_hash(assignment)[:16],
        # Says that two grades used the same key, not which one.
        "key": hashlib.sha256(b"name of " + key).hexdigest()[:8],
        "versions": versions(),
        "sandbox": SANDBOX,
    }


def suite_hash(assignment: Assignment) -> str:
    """Names a suite by its content: what `sha256sum` prints for a file, and what
    `sha256sum *.py | sha256sum` prints in a folder."""
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
        for file in assignment.suite_files
    ]
    if not assignment.suite.is_dir():
        return lines[0].split()[0]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def append(file: Path, student: str, assignment: str, result: Result, trace: dict) -> None:
    """Add a line to the course's audit file."""
    line = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "student": student,
        "assignment": assignment,
        "status": result.status,
        "score": result.score,
        "max_score": result.max_score,
        **trace,
    }
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


@cache
def versions() -> dict[str, str]:
    """Of the course, Python and the libraries that compute."""
    found = {"sft2rl": __version__, "python": platform.python_version()}
    return found | {name: version(name) for name in LIBRARIES}
