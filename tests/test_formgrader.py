"""What formgrader shows: numbers in place of names, and formulas without the internet."""

import re
from pathlib import Path

from bs4 import BeautifulSoup
from nbconvert.exporters import HTMLExporter
from nbgrader.server_extensions.formgrader import handlers
from tiny_class import NAME, Class
from traitlets.config import PyFileConfigLoader

from autograder import classroom

FORMGRADER = Path(handlers.__file__).parent


def submission_page(group: Class) -> str:
    """The page of dana's submission, as formgrader makes it from the course folder's settings."""
    config = PyFileConfigLoader("nbgrader_config.py", path=str(group.course.root)).load_config()
    config.HTMLExporter.template_name = "formgrade"
    config.HTMLExporter.extra_template_basedirs = [handlers.template_path]
    resources = {
        "assignment_id": NAME,
        "notebook_id": "tiny",
        "submission_id": "0" * 32,
        "index": 4,
        "total": 6,
        "base_url": "/base",
        "student": "dana",
        "last_name": "Winter",
        "first_name": "Dana",
        "notebook_path": "PATH",
    }
    file = group.course.autograded(NAME, "dana") / "tiny.ipynb"
    html, _ = HTMLExporter(config=config).from_filename(str(file), resources=resources)
    return html


def test_formgrader_lists_by_number_in_no_order_of_names(at_class: Class) -> None:
    """Its list shows numbers; the names come with it, to be shown on demand."""
    api = classroom.nbgrader_api(at_class.course)
    rows = api.get_notebook_submissions(NAME, "tiny")
    assert [row["index"] for row in rows] == list(range(6))
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert all(
        re.fullmatch(r"[0-9a-f]{32}", row["id"]) for row in rows
    )  # random: no order of names
    script = (FORMGRADER / "static/js/gradebook_notebook_submissions.js").read_text()
    assert '.text("Submission #" + (this.model.get("index") + 1))' in script


def test_a_submission_in_formgrader_hides_the_name(at_class: Class) -> None:
    page = BeautifulSoup(submission_page(at_class), "html.parser")
    shown = page.select_one("li.live-notebook a.name-hidden")
    assert shown is not None and shown.get_text(strip=True) == "Submission #5"
    for each in page.select(".name-shown"):
        each.decompose()
    assert "Winter" not in page.get_text()
    rule = re.compile(r"^\.name-shown \{\s*display: none;", re.M)
    for sheet in ("formgrade.css", "nbgrader.css"):
        assert rule.search((FORMGRADER / "static/css" / sheet).read_text())


def test_formgrader_takes_mathjax_from_its_own_server(at_class: Class) -> None:
    html = submission_page(at_class)
    assert 'base_url.replace(/formgrader$/, "static/jupyter_server_mathjax/MathJax.js")' in html
    assert 'var base_url = "/base/formgrader";' in html
    assert not re.search(r"<script[^>]*src=.https?:", html)


def test_the_server_of_mathjax_is_installed_and_has_its_fonts() -> None:
    import jupyter_server_mathjax as served

    static = Path(served.__file__).parent / "static"
    assert (static / "config" / "TeX-AMS-MML_HTMLorMML-full.js").is_file()
    assert (static / "config" / "Safe.js").is_file()
    assert (static / "fonts" / "HTML-CSS" / "STIX-Web").is_dir()


def test_feedback_has_a_place_to_take_mathjax_from(at_class: Class) -> None:
    """It is no page of a server, so its formulas need the internet."""
    html = at_class.feedback("dana")
    assert 'script.src = "https://cdnjs.cloudflare.com/' in html
    assert "var base_url" not in html
