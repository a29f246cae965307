"""What a person does in the hub's pages, as functions on a Playwright page."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

MINUTE = 60_000


def sign_in(page: Page, url: str, name: str, password: str) -> None:
    """The login form, up to JupyterLab."""
    page.goto(f"{url}/hub/login")
    page.fill("#username_input", name)
    page.fill("#password_input", password)
    page.click("#login_submit")
    page.wait_for_selector("#jp-main-dock-panel", timeout=3 * MINUTE)


def menu(page: Page, *path: str) -> None:
    """Choose from JupyterLab's menu bar."""
    page.get_by_role("menuitem", name=path[0], exact=True).click()
    for label in path[1:]:
        wanted = re.compile(rf"^\s*{re.escape(label)}\s*$")
        page.locator(".lm-Menu-itemLabel", has_text=wanted).last.click()


def assignments(page: Page) -> Page:
    """Open nbgrader's assignment list."""
    menu(page, "Nbgrader", "Assignment List")
    page.locator("#nbgrader-assignment-list .list_item, #fetched_assignments_list").first.wait_for()
    return page


def entry(page: Page, part: str, assignment: str) -> Locator:
    """An assignment's line; `part` is released, fetched or submitted."""
    return page.locator(f"#{part}_assignments_list > .list_item", has_text=assignment)


def open_notebook(page: Page, assignment: str, notebook: str) -> None:
    """From the assignment list to the notebook with a running kernel."""
    line = entry(page, "fetched", assignment)
    link = line.locator(".nested_list_item a", has_text=notebook)
    if not link.is_visible():
        line.locator(".assignment-notebooks-link").click()
    link.click()
    page.locator(".jp-NotebookPanel:visible .jp-Notebook-cell").first.wait_for(timeout=MINUTE)
    idle(page)


def idle(page: Page) -> None:
    """Wait until the kernel is there and has nothing to do."""
    page.locator(".jp-NotebookPanel:visible .jp-KernelName", has_text="Python 3").wait_for(
        timeout=3 * MINUTE
    )
    page.locator(
        ".jp-NotebookPanel:visible .jp-Notebook-ExecutionIndicator[data-status=idle]"
    ).wait_for(timeout=3 * MINUTE)


def cell(page: Page, text: str, kind: str = "Code") -> Locator:
    """Scroll to the first cell of a notebook whose source contains `text`."""
    wanted = page.locator(
        f".jp-NotebookPanel:visible .jp-{kind}Cell",
        has=page.locator(".jp-InputArea", has_text=text),
    ).first
    panel = page.locator(".jp-NotebookPanel:visible .jp-WindowedPanel-outer").first
    panel.evaluate("panel => panel.scrollTo(0, 0)")
    page.wait_for_timeout(200)
    for _ in range(200):
        if wanted.count():
            wanted.scroll_into_view_if_needed()
            return wanted
        panel.evaluate("panel => panel.scrollBy(0, 600)")
        page.wait_for_timeout(100)
    raise AssertionError(f"no cell contains {text!r}")


def write(page: Page, target: Locator, source: str) -> None:
    """Replace a cell's source, as one pastes it."""
    target.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(source)


def run(page: Page, target: Locator) -> str:
    """Run one cell and give the text of its output."""
    prompt = target.locator(".jp-InputPrompt")
    before = prompt.inner_text()
    prompt.click()
    page.keyboard.press("Control+Enter")
    changed = re.compile(rf"^(?!{re.escape(before)}$)")
    try:
        expect(prompt).to_have_text(changed, timeout=MINUTE // 4)
    except AssertionError:  # on a busy machine a key may come before the page listens
        prompt.click()
        page.keyboard.press("Control+Enter")
        expect(prompt).to_have_text(changed)
    expect(prompt).to_have_text(re.compile(r"^\[\d+\]:$"), timeout=5 * MINUTE)
    output = target.locator(".jp-OutputArea")
    return output.inner_text() if output.count() else ""


def save(page: Page) -> None:
    """Control+S, and wait until the notebook is not dirty any more."""
    dirty = page.locator(".lm-TabBar-tab.jp-mod-dirty")
    page.keyboard.press("Control+S")
    page.wait_for_timeout(500)
    try:
        expect(dirty).to_have_count(0, timeout=MINUTE // 4)
    except AssertionError:  # as in `run`
        page.keyboard.press("Control+S")
        expect(dirty).to_have_count(0)
