"""The command line, `course`: a file per group of verbs, which import what they need late."""

from autograder.cli import author, bench, doctor, grading, leaderboard, release, report  # noqa: F401
from autograder.cli.base import app

__all__ = ["app"]
