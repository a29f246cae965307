"""The command line, `course`: a file per group of verbs, which import what they need late."""

from autograder.cli import author, bench, doctor, grades, grading, leaderboard, release  # noqa: F401
from autograder.cli.base import app

__all__ = ["app"]
