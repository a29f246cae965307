"""How a notebook goes through the steps of grading and of feedback: without copies between them."""

from __future__ import annotations

from typing import Any

from nbconvert.exporters import Exporter, NotebookExporter
from nbformat import NotebookNode


class InPlace(Exporter):
    """Runs its steps on one copy of the notebook; nbconvert would make two more, and check it."""

    def _preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        for step in self._preprocessors:
            nb, resources = step(nb, resources)
        return nb, resources


class AutogradedExporter(InPlace, NotebookExporter):
    """Makes the autograded notebook, which must be valid."""

    def _preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        nb, resources = super()._preprocess(nb, resources)
        self._validate_preprocessor(nb, "grading")
        return nb, resources
