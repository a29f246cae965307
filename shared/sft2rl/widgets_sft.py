"""Widgets of assignment 08: which tokens count, and two letters to mix.

Both are driven by functions of the notebook: what is shown is what the student's code does.
"""

from __future__ import annotations

import html
import io
import itertools
import math
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import torch
from IPython.display import display
from transformers import PreTrainedTokenizer

from sft2rl import style

_BOX = (
    "display:inline-block;margin:2px;padding:2px 5px;border-radius:4px;text-align:center;"
    "font-family:monospace;white-space:pre;color:{ink};background:{colour}"
)
_WIDE = widgets.Layout(width="95%")


def label_strip(
    build: Callable[..., dict[str, list[int]]],
    tokenizer: PreTrainedTokenizer,
    model: torch.nn.Module,
    prompt: str,
    response: str,
) -> None:
    """Type a prompt and a response; see which tokens are labels, and how hard each one is.

    Args:
        build: the student's `build_sft_example`.
        tokenizer: turns the two texts into ids.
        model: its logits give -ln p of every label, shown on mouse-over.
        prompt: the prompt to begin with.
        response: the response to begin with.
    """
    first = widgets.Text(value=prompt, description="Prompt", layout=_WIDE)
    second = widgets.Text(value=response, description="Response", layout=_WIDE)
    longest = widgets.IntSlider(value=24, min=1, max=40, description="max_len")
    view = widgets.HTML()

    def redraw(_change: object = None) -> None:
        ids = [tokenizer.encode(box.value, add_special_tokens=False) for box in (first, second)]
        example = build(*ids, tokenizer.eos_token_id, longest.value)
        view.value = strip(example, tokenizer, model)

    for control in (first, second, longest):
        control.observe(redraw, names="value")
    redraw()
    display(widgets.VBox([first, second, longest, view]))


@torch.no_grad()
def strip(
    example: dict[str, list[int]], tokenizer: PreTrainedTokenizer, model: torch.nn.Module
) -> str:
    """One row of boxes: the tokens, and below each label the position that predicts it."""
    ids, labels = example["input_ids"], example["labels"]
    logps = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    boxes, total, count = [], 0.0, 0
    for place, (token, label) in enumerate(zip(ids, labels, strict=True)):
        text = html.escape(tokenizer.convert_ids_to_tokens(token).replace("Ġ", "␣"))
        if label == -100 or place == 0:
            boxes.append(_box(text, "&nbsp;", "not a label", "#dddddd", "#000"))
            continue
        nll = -float(logps[place - 1, label])
        total, count = total + nll, count + 1
        title = f"-ln p = {nll:.2f}, from the logits at position {place - 1}"
        boxes.append(_box(text, str(place - 1), title, style.COLOURS["blue"], "#fff"))
    summary = f"<p>{len(ids)} tokens, {count} labels, sum of -ln p: {total:.2f} nats</p>"
    return f"<div>{''.join(boxes)}</div>{summary}"


def _box(text: str, below: str, title: str, colour: str, ink: str) -> str:
    look = _BOX.format(colour=colour, ink=ink)
    return f'<span style="{look}" title="{title}">{text}<br><small>{below}</small></span>'


def two_letters(
    mle_optimum: Callable[..., dict[tuple[int, ...], torch.Tensor]],
    onpolicy_sft_optimum: Callable[..., dict[tuple[int, ...], float]],
) -> None:
    """Sliders for how often AA, AB, BA and BB occur; bars for what two losses make of it."""
    sliders = [
        widgets.IntSlider(value=count, min=0, max=8, description=name, continuous_update=False)
        for name, count in (("AA", 0), ("AB", 4), ("BA", 4), ("BB", 0))
    ]
    image = widgets.Image(format="png", layout=widgets.Layout(width="100%", max_width="640px"))

    def redraw(_change: object = None) -> None:
        counts = [slider.value for slider in sliders]
        if sum(counts) > 0:
            image.value = draw_two_letters(mle_optimum, onpolicy_sft_optimum, counts)

    for slider in sliders:
        slider.observe(redraw, names="value")
    redraw()
    rows = [widgets.HBox(sliders[:2]), widgets.HBox(sliders[2:])]
    display(widgets.VBox([*rows, image]))


def draw_two_letters(
    mle_optimum: Callable[..., Any], onpolicy_sft_optimum: Callable[..., Any], counts: list[int]
) -> bytes:
    """The three distributions over AA, AB, BA, BB as a PNG image."""
    pairs = list(itertools.product((0, 1), repeat=2))
    data = [y for y, count in zip(pairs, counts, strict=True) for _ in range(count)]
    tables, mixed = mle_optimum(data, 2), onpolicy_sft_optimum(data)

    def taught(y: tuple[int, ...]) -> float:
        if y[:1] not in tables:  # a prefix that nobody wrote has probability 0 itself
            return 0.0
        return math.prod(float(tables[y[:t]][token]) for t, token in enumerate(y))

    heights = {
        "data": ([data.count(y) / len(data) for y in pairs], "black"),
        "SFT optimum": ([taught(y) for y in pairs], "blue"),
        "on-policy SFT optimum": ([mixed.get(y, 0.0) for y in pairs], "orange"),
    }
    fig, ax = style.figure("Two letters, two losses", "answer", "probability", figsize=(6.4, 3))
    for place, (name, (values, colour)) in enumerate(heights.items()):
        shifted = [index + 0.26 * (place - 1) for index in range(4)]
        ax.bar(shifted, values, width=0.24, color=style.COLOURS[colour], label=name)
    ax.set_xticks(range(4), ["AA", "AB", "BA", "BB"])
    ax.set_ylim(0, 1)
    ax.legend(fontsize=8)
    picture = io.BytesIO()
    fig.savefig(picture, format="png", dpi=100)
    plt.close(fig)
    return picture.getvalue()
