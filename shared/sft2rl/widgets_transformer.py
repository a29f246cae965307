"""The attention browser of the transformer notebook: one head at a time, for any sentence."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets
import torch
from IPython.display import display

_BLUE = (0, 114, 178)  # the blue of sft2rl.style
_CELL = "width:22px;height:20px;border:1px solid #eee;background:rgb({},{},{})"
_LABEL = "font:12px monospace;white-space:nowrap;color:#000;"
_UPRIGHT = f"{_LABEL}writing-mode:vertical-rl;transform:rotate(180deg);padding:4px 0;margin:auto"
_WIDE = widgets.Layout(width="95%")


def attention_browser(
    attention_maps: Callable[[str], tuple[Sequence[str], torch.Tensor]], text: str
) -> None:
    """Type a sentence, choose a block and a head, and see what looks at what.

    Args:
        attention_maps: text -> (the T tokens as strings, weights [L, H, T, T]); a row of
            weights belongs to the token that looks.
        text: the sentence to begin with.
    """
    box = widgets.Text(value=text, description="Text", layout=_WIDE, continuous_update=False)
    block = widgets.IntSlider(0, 0, 0, description="Block")
    head = widgets.IntSlider(0, 0, 0, description="Head")
    picture = widgets.HTML()
    shown: list[tuple[Sequence[str], torch.Tensor]] = []  # what was read last

    def draw(_: Any = None) -> None:
        for labels, maps in shown:
            picture.value = heat_map(labels, maps[block.value, head.value])

    def read(_: Any = None) -> None:
        try:
            labels, maps = attention_maps(box.value)
        except (IndexError, ValueError, RuntimeError):
            picture.value = "<p>This text is empty, or longer than the model can read.</p>"
            return
        shown[:] = [(labels, maps)]
        block.max, head.max = maps.shape[0] - 1, maps.shape[1] - 1
        draw()

    box.observe(read, "value")
    for slider in (block, head):
        slider.observe(draw, "value")
    read()
    display(widgets.VBox([box, widgets.HBox([block, head]), picture]))


def heat_map(labels: Sequence[str], weights: torch.Tensor) -> str:
    """An HTML table of weights [T, T]: rows look at columns, the darker the more."""
    names = [html.escape(label.strip() or "␣") for label in labels]
    top = "".join(f'<th><div style="{_UPRIGHT}">{name}</div></th>' for name in names)
    rows = []
    for i, name in enumerate(names):
        cells = "".join(
            _cell(float(weights[i, j]), f"{name} → {names[j]}") for j in range(len(names))
        )
        side = f'<th style="{_LABEL}text-align:right;padding-right:6px">{name}</th>'
        rows.append(f"<tr>{side}{cells}</tr>")
    return f'<table style="border-collapse:collapse"><tr><th></th>{top}</tr>{"".join(rows)}</table>'


def _cell(weight: float, what: str) -> str:
    # Square root: a weight of .05 must be visible beside one of .9.
    shade = [round(255 - (255 - channel) * weight**0.5) for channel in _BLUE]
    return f'<td style="{_CELL.format(*shade)}" title="{what}: {weight:.3f}"></td>'
