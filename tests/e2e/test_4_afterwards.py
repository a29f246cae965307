"""What comes after an assignment: corrections and model answers in the student's list."""

from __future__ import annotations

from pathlib import Path

import lab
import pytest
from conftest import Hub, picture
from playwright.sync_api import Page, expect

NAME = "01_tokenizer"
CORRECTION = "In exercise 3, ids start at **256**."

pytestmark = pytest.mark.browser


def fetched(page: Page, name: str, notebook: str) -> None:
    """Fetch what is new in the list, and open it."""
    page.get_by_role("tab", name="Assignments").click()
    page.locator("#refresh_assignments_list").click()
    lab.entry(page, "released", name).get_by_role("button", name="Fetch").click()
    expect(lab.entry(page, "fetched", name)).to_be_visible()
    lab.open_notebook(page, name, notebook)


def test_a_student_reads_an_erratum(ada: Page, hub: Hub) -> None:
    begun = Path("/home/ada", NAME, "tokenizer.ipynb")
    before = begun.read_bytes()
    done = hub.course_command("erratum", NAME, "--text", CORRECTION)
    assert done.returncode == 0, done.stdout + done.stderr
    fetched(ada, f"{NAME}_erratum_1", "erratum")
    page = ada.locator(".jp-NotebookPanel:visible")
    expect(page).to_contain_text("Erratum 1 to Tokenizer")
    expect(page.locator("strong")).to_have_text("256")
    picture(ada, "student-9-erratum")
    assert begun.read_bytes() == before


def test_a_student_reads_the_model_answers(ada: Page, hub: Hub) -> None:
    done = hub.course_command("solutions", NAME)
    assert done.returncode == 0, done.stdout + done.stderr
    fetched(ada, f"{NAME}_solution", "tokenizer_solution")
    page = ada.locator(".jp-NotebookPanel:visible")
    expect(page).to_contain_text("These are the model answers.")
    answer = lab.cell(ada, "def merge_pair")
    expect(answer).not_to_contain_text("NotImplementedError")
    picture(ada, "student-10-solution")
