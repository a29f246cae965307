"""Puts the course's parts in nbgrader's place; a course folder's nbgrader_config.py calls it."""

from __future__ import annotations

import functools
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import nbgrader
from jinja2 import Environment
from sqlalchemy import Engine, create_engine
from traitlets.config import Config

from autograder.course import course_code

PARTS = "autograder.nbgrader_parts"
# Where nbconvert finds templates before its own.
SHARE = Path(__file__).parent / "share"


def install(config: Config, config_file: str) -> None:
    """Configure nbgrader for a course folder, and replace its Autograde by ours."""
    from nbgrader import api as gradebook_api
    from nbgrader.apps import api, autogradeapp

    from autograder.nbgrader_parts.autograde import CourseAutograde

    # nbgrader has no option for these: its applications import the class by name.
    autogradeapp.Autograde = CourseAutograde
    api.Autograde = CourseAutograde
    # It opens its gradebook a dozen times for each submission, and compiles every query anew.
    vars(gradebook_api)["create_engine"] = _engine
    # A new gradebook starts a program to learn this, which imports nbgrader for two seconds.
    vars(gradebook_api)["get_alembic_version"] = _alembic_version
    # Its pages of lists write what stands in an address into the page.
    if formgrader := sys.modules.get("nbgrader.server_extensions.formgrader.formgrader"):
        vars(formgrader)["Environment"] = functools.partial(Environment, autoescape=True)
    # SQLAlchemy warns of nbgrader's own queries, several times for each submission.
    warnings.filterwarnings("ignore", message="Object of type <Submitted")
    add_scripts_to_path()
    _prepend("JUPYTER_PATH", SHARE)
    configure(config, Path(config_file).resolve().parent)


def configure(config: Config, root: Path) -> None:
    """The settings of a course folder."""
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.course_id = course_code()
    # What the project keeps while it trains: large, and of no use to a grader.
    config.CourseDirectory.ignore.append("runs")
    # A corrected version may be released over the first one: grading knows both.
    config.ExchangeReleaseAssignment.force = True
    config.ExchangeFactory.collect = f"{PARTS}.collect.SafeCollect"
    config.GenerateAssignment.preprocessors = generate_preprocessors()
    # Rebuilding on the release has replaced what nbgrader would overwrite from its database, and
    # check. So there is one pass only (CourseAutograde).
    config.Autograde.exporter_class = f"{PARTS}.steps.AutogradedExporter"
    config.Autograde.autograde_preprocessors = [
        f"{PARTS}.execute.SandboxExecute",
        f"{PARTS}.save.TrustedSaveAutoGrades",
    ]
    config.AssignLatePenalties.plugin_class = f"{PARTS}.late.CourseLatePolicy"
    config.GenerateFeedback.exporter_class = f"{PARTS}.feedback.FeedbackExporter"
    config.GenerateFeedback.preprocessors = [
        f"{PARTS}.get.SettledGetGrades",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]
    config.HTMLExporter.sanitize_html = True
    config.HTMLExporter.preprocessors = [f"{PARTS}.html.EscapeNames"]
    config.HTMLExporter.filters = {
        "markdown2html": f"{PARTS}.html.safe_markdown2html",
        "clean_html": f"{PARTS}.html.clean_html",
        "highlight_code": f"{PARTS}.html.highlight_code",
    }


@functools.cache
def _engine(url: str, **options: Any) -> Engine:
    """One engine for each database; nbgrader closes its connections whenever it is done."""
    return create_engine(url, **options)


def _alembic_version() -> str | None:
    """The newest version that nbgrader's migrations lead to."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(Path(nbgrader.__file__).parent / "alembic")).get_current_head()


def generate_preprocessors() -> list[str]:
    """nbgrader's own steps of a release, then the one that names and keeps the version."""
    from nbgrader.converters import GenerateAssignment

    steps = GenerateAssignment.preprocessors.default()
    stock = [f"{step.__module__}.{step.__name__}" for step in steps]
    return [*stock, f"{PARTS}.generate.StampRelease"]


def add_scripts_to_path() -> None:
    """Let nbgrader find `alembic`, which it starts by name to make a gradebook."""
    _prepend("PATH", Path(sys.executable).parent)


def _prepend(variable: str, folder: Path) -> None:
    before = os.environ.get(variable)
    if str(folder) not in (before or "").split(os.pathsep):
        os.environ[variable] = os.pathsep.join([str(folder), before] if before else [str(folder)])
