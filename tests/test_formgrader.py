"""What formgrader and feedback show: numbers in place of names; formulas without the internet."""

import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbconvert.exporters import HTMLExporter
from nbgrader.server_extensions.formgrader import handlers
from tiny_class import NAME, Class
from traitlets.config import PyFileConfigLoader

from autograder import classroom
from autograder.nbgrader_parts import formulas
from autograder.nbgrader_parts.html import safe_markdown2html

ROOT = Path(__file__).resolve().parent.parent
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


@pytest.mark.parametrize("kind", ["formgrader", "feedback"])
def test_formulas_need_nothing_from_elsewhere(at_class: Class, kind: str) -> None:
    html = submission_page(at_class) if kind == "formgrader" else at_class.feedback("dana")
    assert 'math[display="block"]' in html and "MathJax" not in html
    assert not re.search(r"<(script|link|img|iframe)[^>]*(src|href)=.(https?:)?//", html)
    if kind == "feedback":
        assert "<script" not in html


def test_every_formula_of_the_course_is_understood() -> None:
    """What is not would be shown as TeX."""
    count = 0
    for path in sorted(ROOT.glob("assignments/*/*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                _, found = formulas.to_html(cell.source)
                count += len(found)
                for tex, display in found:
                    assert formulas.mathml(tex, display).startswith("<math "), tex
    assert count > 1000


def test_letters_and_signs_are_those_that_browsers_show() -> None:
    html = safe_markdown2html(r"$\mathbb{E}_{x\sim p}[\mathcal{L}] \le \sin x + \mathtt{a1} < 2$")
    text = BeautifulSoup(html, "html.parser").get_text().strip()
    assert text == "\U0001d53cx\u223cp[\u2112]\u2264sin\u2009x+\U0001d68a\U0001d7f7<2"
    assert "mathvariant" not in html and "&amp;" not in html


@pytest.mark.parametrize(
    "tex",
    [
        r"\href{javascript:alert(1)}{x}",
        r"\style{position:fixed}{x} \class{modal}{x} \color{white}{x}",
        r"\unicode{<img src=y onerror=alert(1)>} \text{<img src=y onerror=alert(1)>}",
        r"\text{&lt;img src=y onerror=alert(1)&gt;}",
        r"\hspace{-500em}x \hspace{500em} \rule{9em}{9em} \kern-99em x",
        "\\frac", "{" * 1500, "x^" * 900, "\\left(" * 300, "\\sqrt" * 390, "y" * 3000,
    ],
)  # fmt: skip
def test_formulas_of_students_make_only_formulas(tex: str) -> None:
    page = BeautifulSoup(safe_markdown2html(f"${tex}$"), "html.parser")
    for element in page.find_all(True):
        assert element.name in {*formulas.ELEMENTS, "p", "code"}
        for name, value in element.attrs.items():
            assert re.fullmatch(formulas.ATTRIBUTES[name], value)


def test_a_mark_of_a_formula_in_an_attribute_is_dropped() -> None:
    html = safe_markdown2html(
        "$x$ <a title='\ue0000\ue001' href='/\ue0000\ue001'>y</a> \ue0009\ue001"
    )
    assert html.count("<math") == 1 and "<a>y</a>" in html
