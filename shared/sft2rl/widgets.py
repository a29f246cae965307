"""Widgets that every notebook uses."""

from __future__ import annotations

import html
from collections.abc import Sequence

import ipywidgets as widgets
from IPython.display import display


def predict(question: str, options: Sequence[str], answer: int, why: str) -> None:
    """Ask for a prediction before the cell that shows the truth. Nothing is graded.

    Args:
        question: what will happen?
        options: the possible answers, in the order shown.
        answer: the index of the right one.
        why: the explanation shown after a choice.
    """
    buttons = [
        widgets.Button(description=text, tooltip=text, layout=widgets.Layout(width="auto"))
        for text in options
    ]
    verdict = widgets.HTML()

    def choose(button: widgets.Button) -> None:
        right = buttons.index(button) == answer
        for index, each in enumerate(buttons):
            each.button_style = "success" if index == answer else ""
        if not right:
            button.button_style = "warning"
        head = "Yes." if right else f"Not quite: “{html.escape(options[answer])}”."
        verdict.value = f"<b>{head}</b> {html.escape(why)}"

    for button in buttons:
        button.on_click(choose)
    title = widgets.HTML(f"<b>Predict.</b> {html.escape(question)}")
    display(widgets.VBox([title, widgets.HBox(buttons, layout=_WRAP), verdict]))


_WRAP = widgets.Layout(flex_flow="row wrap")
