"""Safe HTML for formgrader and feedback: the table of hidden tests, and students' Markdown.

Students' text reaches these pages in the browser of a TA who may change grades. nbconvert's
`sanitize_html` cleans outputs; nbgrader's templates render Markdown without it, so the filter is
replaced here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, wraps
from html import escape
from itertools import groupby
from typing import Any

import bleach
from nbconvert.filters import Highlight2HTML
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from traitlets import Bool

from autograder.nbgrader_parts import formulas
from autograder.results import ExerciseResult, TestResult

TAGS = [
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote"),
    *("em", "strong", "del", "sub", "sup", "code", "pre", "span", "div", "a"),
    *("table", "thead", "tbody", "tr", "th", "td"),
]
PROTOCOLS = ["http", "https", "mailto"]
# The classes of highlighted code and of our table. Others could cover the page or imitate it.
CLASSES = re.compile(r"highlight|[a-z][a-z0-9]?|table table-condensed|success|danger")

# Most cells of a page are the release's, and the same on every page of a class.
KEPT_TEXTS, LONGEST_KEPT = 1000, 10_000


def _remembered(convert: Callable[[str], str]) -> Callable[..., str]:
    """Remember what not too long texts were converted to; further arguments do not matter."""
    known = lru_cache(KEPT_TEXTS)(convert)

    @wraps(convert)
    def converted(source: str, *args: Any, **kwargs: Any) -> str:
        return (known if len(source) <= LONGEST_KEPT else convert)(source)

    return converted


class EscapeNames(Preprocessor):
    """Formgrader's page of a submission shows a student's name as it is, markup and all.

    Names come from accounts, which students may be able to change (`chfn`), and from lists.
    """

    enabled = Bool(True).tag(config=True)

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        for name in ("student", "first_name", "last_name", "notebook_path"):
            if isinstance(resources.get(name), str):
                resources[name] = escape(resources[name])
        return nb, resources


@_remembered
def highlight_code(source: str) -> str:
    """Python code as HTML, in colours."""
    return _highlight(source)


@_remembered
def safe_markdown2html(source: str) -> str:
    """Markdown as HTML without scripts, images, styles and links to anything but pages."""
    html, found = formulas.to_html(source)
    html = clean_html(html).replace("<table>", '<table class="table table-condensed">')
    return formulas.put_in(html, found)


_highlight = Highlight2HTML(pygments_lexer="python")


@_remembered
def clean_html(html: str) -> str:
    """HTML with nothing in it that runs, loads, or changes the page around it."""
    return bleach.clean(html, tags=TAGS, attributes=_allowed, protocols=PROTOCOLS, strip=True)


def _allowed(tag: str, name: str, value: str) -> bool:
    if name == "class":
        return bool(CLASSES.fullmatch(value))
    return tag == "a" and name in ("href", "title") and formulas.BEGIN not in value


def score_table(result: ExerciseResult, status: str) -> str:
    """The hidden tests, one per row or more where they agree; or the reason why none was run."""
    if result.score is None:
        head = f"To be graded by hand: of {result.max_score:g} points"
    else:
        head = f"{result.score:.4g} of {result.max_score:g} points"
    if status:
        return f"<div><strong>{head}</strong><br>{escape(status)}</div>"
    rows = "".join(_rows(list(tests)) for _, tests in groupby(result.tests, _outcome))
    return (
        f"<div><strong>{head}</strong></div>"
        f'<table class="table table-condensed"><tbody>{rows}</tbody></table>'
    )


def _outcome(test: TestResult) -> tuple[str, str]:
    return test.outcome, test.message


def _rows(tests: list[TestResult]) -> str:
    """Neighbours of the same outcome: a row each, or one row where one message says it for all."""
    outcome, message = _outcome(tests[0])
    if outcome == "failed" and len(tests) > 1:
        items = "".join(f"<li>{_listed(test)}</li>" for test in tests)
        return _row(outcome, f"{len(tests)}\xa0tests", f"{_inline_code(message)}<ul>{items}</ul>")
    return "".join(
        _row(outcome, escape(_words(test.name)), _inline_code(test.text)) for test in tests
    )


def _row(outcome: str, name: str, text: str) -> str:
    colour = "success" if outcome == "passed" else "danger"
    return (
        f'<tr class="{colour}"><td><strong>{_mark(outcome)}</strong></td>'
        f"<td>{name}</td><td>{text}</td></tr>"
    )


def _listed(test: TestResult) -> str:
    name = f"<em>{escape(_words(test.name))}</em>"
    return f"{name}: {_inline_code(test.tried)}" if test.tried else name


def _mark(outcome: str) -> str:
    """With a space that does not break."""
    return "\N{CHECK MARK}\xa0passed" if outcome == "passed" else "\N{BALLOT X}\xa0failed"


def _words(name: str) -> str:
    """A test's name as a sentence: `test_odd_runs_merge` is "odd runs merge"."""
    return name.removeprefix("test_").replace("_", " ")


def _inline_code(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
