"""The exporter of feedback pages: nbconvert's, without what it would do again for every page."""

from __future__ import annotations

import re
from types import CodeType
from typing import Any

from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode

from autograder.nbgrader_parts.steps import InPlace

# Where the list at the top of a page ends, and what stands in it.
BODY = '<div class="panel-body">'
LISTED = re.compile(
    r'(<a href="#(?:comment-|test_)?([\w-]+)">)(Test cell|Written response|Comment)</a>'
)
NO_ALT = 'alt="No description has been provided for this image"'


class FeedbackExporter(InPlace, HTMLExporter):
    """Compiles a template once, and does not parse the finished page to put in what is known.

    nbconvert does the second for pictures without a description, and for classes that the
    template of feedback pages does not have. The list at the top of a page calls every exercise
    "Test cell": here it has their names.
    """

    def _create_environment(self) -> Environment:
        environment = super()._create_environment()
        environment.bytecode_cache = _compiled
        return environment

    def from_notebook_node(
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kw: Any
    ) -> tuple[str, dict[str, Any]]:
        page, resources = super(HTMLExporter, self).from_notebook_node(
            nb, self._init_resources(resources), **kw
        )
        # What a student wrote has no tag of a picture: html.py takes them out, or escapes them.
        page = page.replace('<img src="', f'<img {NO_ALT} src="')
        contents, start, rest = page.partition(BODY)
        return LISTED.sub(_named, contents) + start + rest, resources


def _named(link: re.Match[str]) -> str:
    """A link of the list with the name of its exercise or written answer."""
    opened, name, words = link.groups()
    before = "" if words == "Test cell" else f"{words}: "
    return f"{opened}{before}{name}</a>"


class _Compiled(BytecodeCache):
    """The compiled templates of this process."""

    def __init__(self) -> None:
        self._code: dict[str, tuple[str, CodeType | None]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        checksum, code = self._code.get(bucket.key, ("", None))
        if checksum == bucket.checksum:
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.checksum, bucket.code


_compiled = _Compiled()
