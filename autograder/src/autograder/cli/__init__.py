"""The command line, `course`: a file per group of verbs, which import what they need late."""

from autograder.cli import (  # noqa: F401
    author,
    bench,
    doctor,
    grades,
    grading,
    handout,
    leaderboard,
    release,
    report,
    upkeep,
)
from autograder.cli.base import app

__all__ = ["app"]
