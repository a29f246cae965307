"""A week of the course in the order in which it happens: two students, two of the staff.

The tests build on each other: run the whole file. It is run with either kind of gradebook.
"""

from __future__ import annotations

import json
from pathlib import Path

import lab
import pytest
from conftest import Hub, picture
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import create_engine, text

from sft2rl import __version__

NAME, NOTEBOOK = "01_tokenizer", "tokenizer"
WRONG = """\
def merge_pair(ids, pair, new_id):
    out = list(ids)
    for i in range(len(out) - 2, -1, -1):
        if (out[i], out[i + 1]) == pair:
            out[i : i + 2] = [new_id]
    return out
"""
RIGHT = """\
def merge_pair(ids, pair, new_id):
    out, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == pair:
            out.append(new_id)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out
"""
ANSWER = "A *lower* perplexity per token only compares models that share one tokenizer."
ATTACK = "<script>alert(1)</script> <img src=x onerror=alert(2)> [x](javascript:alert(3)) **bold**"
COMMENT = "Good. Say also why bytes would do."

pytestmark = pytest.mark.browser


def test_a_student_fetches_the_assignment(ada: Page) -> None:
    lab.assignments(ada)
    lab.entry(ada, "released", NAME).get_by_role("button", name="Fetch").click()
    expect(lab.entry(ada, "fetched", NAME)).to_be_visible()
    picture(ada, "student-1-fetched")


def test_runs_cells_and_uses_a_widget(ada: Page) -> None:
    lab.open_notebook(ada, NAME, NOTEBOOK)
    assert "torch 2." in lab.run(ada, lab.cell(ada, "from sft2rl import style"))
    question = lab.cell(ada, "How does GPT-2 cut")
    lab.run(ada, question)
    question.get_by_role("button", name="'tis", exact=True).click()
    expect(question).to_contain_text("Not quite")
    expect(question).to_contain_text("Rule 1 comes first")
    picture(ada, "student-2-widget")


def test_a_visible_check_names_the_mistake(ada: Page) -> None:
    answer = lab.cell(ada, "def merge_pair")
    lab.write(ada, answer, WRONG)
    lab.run(ada, answer)
    check = lab.cell(ada, "check.merge_pair")
    said = lab.run(ada, check)
    assert "expected [9, 7]" in said and "received [7, 9]" in said
    assert "if you merge from the right" in said
    picture(ada, "student-3-helpful-failure")


def test_the_mended_answer_passes(ada: Page) -> None:
    answer = lab.cell(ada, "def merge_pair")
    lab.write(ada, answer, RIGHT)
    lab.run(ada, answer)
    check = lab.cell(ada, "check.merge_pair")
    assert "merge_pair: all visible checks passed" in lab.run(ada, check)
    written = lab.cell(ada, "YOUR ANSWER HERE", kind="Markdown")
    written.dblclick()
    lab.write(ada, written, ANSWER)
    ada.keyboard.press("Shift+Enter")
    picture(ada, "student-4-mended")
    lab.save(ada)


def test_validate_lists_what_is_left_to_do(ada: Page) -> None:
    ada.get_by_role("button", name="Validate").click()
    result = ada.locator(".jp-Dialog", has_text="Validation Results")
    result.wait_for()
    picture(ada, "student-5-validate")
    said = result.inner_text()
    assert "check.pre_tokenize(pre_tokenize)" in said and "NotImplementedError" in said
    assert "check.merge_pair(merge_pair)" not in said
    result.get_by_role("button", name="Ok").click()


def test_submits(ada: Page) -> None:
    ada.get_by_role("tab", name="Assignments").click()
    lab.entry(ada, "fetched", NAME).get_by_role("button", name="Submit").click()
    expect(lab.entry(ada, "submitted", NAME)).to_be_visible()
    picture(ada, "student-6-submitted")


def test_another_student_submits_text_that_attacks_the_grader(ben: Page, hub: Hub) -> None:
    lab.assignments(ben)
    lab.entry(ben, "released", NAME).get_by_role("button", name="Fetch").click()
    expect(lab.entry(ben, "fetched", NAME)).to_be_visible()
    path = f"/home/ben/{NAME}/{NOTEBOOK}.ipynb"
    with open(path) as file:
        notebook = json.load(file)
    for cell in notebook["cells"]:
        if cell["id"] == "merge_pair":
            cell["source"] = WRONG
        if cell["id"] == "written_perplexity":
            cell["source"] = ATTACK
    with open(path, "w") as file:
        json.dump(notebook, file)
    lab.entry(ben, "fetched", NAME).get_by_role("button", name="Submit").click()
    expect(lab.entry(ben, "submitted", NAME)).to_be_visible()


def test_the_course_list_leads_to_formgrader(instructor: Page, hub: Hub) -> None:
    lab.menu(instructor, "Nbgrader", "Course List")
    link = instructor.locator("#nbgrader-course-list a, .list_item a", has_text="sft2rl").first
    with instructor.expect_popup() as opened:
        link.click()
    page = opened.value
    grader = page.frame_locator("iframe")
    grader.locator("td", has_text=NAME).first.wait_for(timeout=3 * lab.MINUTE)
    picture(page, "staff-1-formgrader")
    page.close()


def test_collects(instructor: Page, hub: Hub) -> None:
    instructor.goto(f"{hub.course}/formgrader/")
    instructor.locator("td.collect a").click()
    done = _modal(instructor)
    assert "Successfully collected" in done
    instructor.goto(f"{hub.course}/formgrader/manage_submissions/{NAME}")
    expect(_submission(instructor, "ada")).to_contain_text("needs autograding")
    expect(_submission(instructor, "ben")).to_contain_text("needs autograding")
    expect(_submission(instructor, "ben")).to_contain_text("Okafor, Ben")


def test_formgraders_button_grades_in_the_sandbox(instructor: Page, hub: Hub) -> None:
    _submission(instructor, "ada").locator("td.autograde a").click()
    assert "Successfully autograded" in _modal(instructor)
    row = _submission(instructor, "ada")
    expect(row.locator("td.score")).to_contain_text("2 / 34")
    picture(instructor, "staff-2-autograded")
    page = hub.prefix / "course/autograded/ada" / NAME / f"{NOTEBOOK}.ipynb"
    result = json.loads(page.read_text())["metadata"]["sft2rl"]["result"]
    assert result["status"] == "graded"
    assert result["exercises"]["merge_pair"]["score"] == 2


def test_our_page_grades_the_rest(instructor: Page, hub: Hub) -> None:
    shown = instructor.goto(f"{hub.course}/course")
    assert shown and shown.headers["content-security-policy"].startswith("default-src 'self'")
    row = instructor.locator("#assignments tr", has_text=NAME)
    expect(row.locator("td.number")).to_have_text(["2", "1", "0", "1", "0"])
    expect(instructor.locator("#version")).to_have_text(f"sft2rl {__version__}")
    row.get_by_role("button", name="Grade all").click()
    job = instructor.locator("#jobs li").first
    expect(job).to_contain_text("running")
    picture(instructor, "staff-3-grading")
    # Nothing waits for the job: the same server answers formgrader at once.
    answer = instructor.request.get(f"{hub.course}/formgrader/manage_submissions/{NAME}")
    assert answer.ok
    expect(job).to_contain_text("2 graded, 0 to review by hand", timeout=5 * lab.MINUTE)
    expect(row.locator("td.number")).to_have_text(["2", "2", "0", "2", "0"])
    picture(instructor, "staff-4-graded")


def test_two_of_the_staff_grade_the_written_answers_by_hand(
    instructor: Page, tutor: Page, hub: Hub
) -> None:
    instructor.alerts.clear()  # type: ignore[attr-defined]
    pages = {"Adler": tutor, "Okafor": instructor}
    for name, page in pages.items():
        _open_submission(page, hub, name)
    for page in pages.values():
        page.locator("input.score").last.fill("3")
    for page in pages.values():
        _leave(page, page.locator("input.score").last, "/api/grade/")
    for page in pages.values():
        page.locator("textarea.comment").last.fill(COMMENT)
    for page in pages.values():
        _leave(page, page.locator("textarea.comment").last, "/api/comment/")
    for name, page in pages.items():
        page.locator("input.score").last.scroll_into_view_if_needed()
        picture(page, f"staff-5-by-hand-{name}")
        # Each sees one answer. The text of ben's was shown; nothing in it ran.
        shown = page.locator("body").inner_text()
        assert ("share one tokenizer" in shown) == (name == "Adler")
        assert ("bold" in shown) == (name == "Okafor")
        assert page.locator("a[href^='javascript:'], img[src=x]").count() == 0
    assert instructor.alerts == []  # type: ignore[attr-defined]
    assert _by_hand(hub) == {"ada": 3.0, "ben": 3.0}


def test_one_grades_all_while_the_other_grades_by_hand(
    ben: Page, instructor: Page, tutor: Page, hub: Hub
) -> None:
    with ben.expect_response(lambda answer: "/assignments/submit" in answer.url):
        lab.entry(ben, "fetched", NAME).get_by_role("button", name="Submit").click()
    _open_submission(tutor, hub, "Adler")
    tutor.locator("input.score").last.fill("2.5")
    instructor.goto(f"{hub.course}/course")
    row = instructor.locator("#assignments tr", has_text=NAME)
    expect(row.locator("td.number")).to_have_text(["2", "1", "0", "0", "0"])
    row.get_by_role("button", name="Grade all").click()
    job = instructor.locator("#jobs li").first
    expect(job).to_contain_text("running")
    _leave(tutor, tutor.locator("input.score").last, "/api/grade/")
    state = instructor.request.get(f"{hub.course}/course/api/state").json()
    assert state["jobs"][0]["state"] == "running"
    expect(job).to_contain_text("2 graded, 0 to review by hand", timeout=5 * lab.MINUTE)
    assert _by_hand(hub) == {"ada": 2.5, "ben": 3.0}
    # Ben's points are kept, and marked for another look, because his answer may have changed.
    expect(row.locator("td.number")).to_have_text(["2", "2", "0", "1", "0"])
    _open_submission(instructor, hub, "Okafor")
    instructor.locator("input.score").last.fill("2")
    _leave(instructor, instructor.locator("input.score").last, "/api/grade/")
    assert _by_hand(hub) == {"ada": 2.5, "ben": 2.0}


def test_publishes_feedback(instructor: Page, hub: Hub) -> None:
    instructor.goto(f"{hub.course}/course")
    row = instructor.locator("#assignments tr", has_text=NAME)
    row.get_by_role("button", name="Publish feedback").click()
    job = instructor.locator("#jobs li").first
    expect(job).to_contain_text("2 students can fetch their feedback", timeout=3 * lab.MINUTE)
    expect(row.locator("td.number")).to_have_text(["2", "2", "0", "0", "2"])
    picture(instructor, "staff-6-published")


def test_the_student_fetches_and_reads_feedback(ada: Page, hub: Hub) -> None:
    lab.assignments(ada)
    ada.locator("#refresh_assignments_list").click()
    line = lab.entry(ada, "submitted", NAME)
    line.get_by_role("button", name="Fetch Feedback").click()
    pages = list((_home("ada") / NAME / "feedback").glob(f"*/{NOTEBOOK}.html"))
    for _ in range(120):
        if pages:
            break
        ada.wait_for_timeout(500)
        pages = list((_home("ada") / NAME / "feedback").glob(f"*/{NOTEBOOK}.html"))
    assert len(pages) == 1
    picture(ada, "student-7-feedback-fetched")
    asked: list[str] = []
    ada.on("request", lambda request: asked.append(request.url))
    ada.goto(f"{hub.url}/user/ada/files/{pages[0].relative_to(_home('ada'))}")
    text = ada.locator("body").inner_text()
    assert "4.5 / 34" in text
    assert COMMENT in text and "odd runs merge" in text
    assert ada.locator("math").count() > 10
    assert asked and all(url.startswith((hub.url, "data:")) for url in asked)
    ada.get_by_text(COMMENT).first.scroll_into_view_if_needed()
    picture(ada, "student-8-feedback-read")
    ada.goto(f"{hub.url}/user/ada/lab")


def _open_submission(page: Page, hub: Hub, name: str) -> None:
    """Formgrader's page of a student's answers; its list has the name behind the number."""
    page.goto(f"{hub.course}/formgrader/gradebook/{NAME}/{NOTEBOOK}")
    row = page.locator("tbody tr", has_text=name)
    # The boxes are filled from the gradebook; what is typed before that is lost.
    with page.expect_response(lambda answer: "/api/comments?" in answer.url):
        row.locator("a.name-hidden").click()
    page.wait_for_load_state("networkidle")


def _leave(page: Page, box: Locator, address: str) -> None:
    """What was typed into a box is saved when one leaves it."""
    with page.expect_response(lambda answer: address in answer.url) as saved:
        box.press("Tab")
    assert saved.value.ok


def _by_hand(hub: Hub) -> dict[str, float]:
    """The points of the written answers, as the database has them."""
    query = """
        SELECT submitted_assignment.student_id, grade.manual_score
        FROM grade
        JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
        JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
        WHERE grade.manual_score IS NOT NULL
    """
    with create_engine(hub.gradebook).connect() as book:
        return dict(map(tuple, book.execute(text(query))))


def _home(name: str) -> Path:
    return Path("/home", name)


def _submission(page: Page, student: str) -> Locator:
    return page.locator("tbody tr", has=page.locator("td.student-id", has_text=student))


def _modal(page: Page) -> str:
    """What formgrader's dialog says; closes it."""
    modal = page.locator(".modal-dialog:visible", has_text="Log Output")
    modal.wait_for(timeout=5 * lab.MINUTE)
    text = modal.inner_text()
    modal.get_by_role("button", name="OK").click()
    modal.wait_for(state="hidden")
    return text
