"""The course's page: every assignment with its numbers, and buttons that queue work.

A small Jupyter server extension for the server in which formgrader runs. It has no rights of its
own: whoever may use that server may do the same from its terminal.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web  # type: ignore[attr-defined]

from autograder.config import CourseError, course_dir, find_assignment
from autograder.course import existing_course
from autograder.page.jobs import Jobs

FILES = Path(__file__).parent / "static"


class Page(JupyterHandler):
    """The page itself; what it shows comes from `State`."""

    @web.authenticated
    def get(self) -> None:
        self.set_header("Content-Security-Policy", "default-src 'self'; frame-ancestors 'self'")
        self.finish((FILES / "course.html").read_text("utf-8"))


class State(APIHandler):
    """What the page shows."""

    @web.authenticated
    async def get(self) -> None:
        try:
            rows = await asyncio.to_thread(_overview)
        except CourseError as error:
            raise web.HTTPError(503, str(error)) from error
        self.finish(json.dumps({**rows, "jobs": self.settings["course_jobs"].as_list()}))


def _overview() -> dict[str, Any]:
    from autograder.page.state import overview  # imports torch: not while the server starts

    return overview(course_dir())


class Report(JupyterHandler):
    """The class report of an assignment, as it stands now."""

    @web.authenticated
    async def get(self, name: str) -> None:
        try:
            text = await asyncio.to_thread(_report, name)
        except CourseError as error:
            raise web.HTTPError(404, str(error)) from error
        policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
        self.set_header("Content-Security-Policy", policy)
        self.finish(text)


def _report(name: str) -> str:
    from autograder.report import data
    from autograder.report.page import page

    found = data.collect(existing_course(course_dir()), find_assignment(name))
    return page(found, data.made_at())


class NewJob(APIHandler):
    """Queues one job: {"action": "grade" | "publish" | "release", "assignment": NAME}."""

    @web.authenticated
    def post(self) -> None:
        wanted = self.get_json_body() or {}
        try:
            job = self.settings["course_jobs"].add(
                str(wanted.get("action")), str(wanted.get("assignment"))
            )
        except CourseError as error:
            raise web.HTTPError(400, str(error)) from error
        self.set_status(202)
        self.finish(json.dumps(job.as_dict()))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "autograder.page"}]


def _load_jupyter_server_extension(server: Any) -> None:
    os.environ.setdefault("COURSE_DIR", server.root_dir)
    settings = server.web_app.settings
    settings["course_jobs"] = Jobs()

    def address(path: str) -> str:
        return url_path_join(settings["base_url"], path)

    server.web_app.add_handlers(
        ".*$",
        [
            (address("course"), Page),
            (address("course/api/state"), State),
            (address("course/api/jobs"), NewJob),
            (address(r"course/report/(\w+)"), Report),
            (address("course/static/(.*)"), web.StaticFileHandler, {"path": str(FILES)}),
        ],
    )
