"""The button that releases the next assignment: it proves the suite first, which takes longest."""

from __future__ import annotations

import lab
import pytest
from conftest import Hub, picture
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def test_releases_the_next_assignment(instructor: Page, ada: Page, hub: Hub) -> None:
    instructor.goto(f"{hub.course}/course")
    # Of what test_2 put into the exchange only ben's own counts: he has submitted again.
    numbers = instructor.locator("#assignments tr", has_text="01_tokenizer").locator("td.number")
    expect(numbers).to_have_text(["2", "1", "0", "0", "2"])
    row = instructor.locator("#assignments tr", has_text="02_transformer")
    row.get_by_role("button", name="Release next").click()
    job = instructor.locator("#jobs li").first
    expect(job).to_contain_text("checking its suite")
    expect(job.locator(".state")).to_have_text("done", timeout=20 * lab.MINUTE)
    expect(row).to_contain_text("Grade all")
    picture(instructor, "staff-7-next-released")
    lab.assignments(ada)
    ada.locator("#refresh_assignments_list").click()
    expect(lab.entry(ada, "released", "02_transformer")).to_be_visible()
