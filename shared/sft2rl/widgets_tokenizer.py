"""The two toys of the tokenizer notebook: step through merges, and colour a text by surprise.

Both are driven by functions from the notebook: what you see is what your own code does.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

import ipywidgets as widgets
from IPython.display import display

_TINTS = ("#cfe8f7", "#fbe3b3", "#bfe8da", "#f6d3c0", "#ecd3e2", "#f7f3b0")
_TOKEN = (
    "display:inline-block;margin:2px 1px;padding:2px 4px;border-radius:4px;color:#000;"
    "font-family:monospace;white-space:pre;background:{colour}"
)
_WIDE = widgets.Layout(width="95%")


def merge_stepper(
    encode: Callable[[str, list[tuple[int, int]]], list[int]],
    vocab: dict[int, bytes],
    merges: list[tuple[int, int]],
    text: str,
) -> None:
    """Type a sentence and watch the merges that touch it, one at a time.

    Args:
        encode: called as `encode(text, merges[:k])`, the text as the first k merges leave it.
        vocab: id -> bytes.
        merges: pairs of ids in the order in which they were learnt.
        text: the sentence to begin with.
    """
    box = widgets.Text(value=text, description="Text", layout=_WIDE)
    slider = widgets.IntSlider(min=0, max=1, description="Step", layout=_WIDE)
    play = widgets.Play(interval=700, min=0, max=1)
    view = widgets.HTML()
    steps: list[tuple[int, list[int]]] = []

    def redraw(_change: object = None) -> None:
        if not steps:
            view.value = ""
            return
        learnt, ids = steps[min(slider.value, len(steps) - 1)]
        size = len(box.value.encode("utf-8"))
        if learnt == 0:
            head = "Nothing merged yet: one token per byte."
        else:
            left, right = (show_token(vocab[i]) for i in merges[learnt - 1])
            head = f"Merge {learnt} of {len(merges)}: <code>{left}</code> + <code>{right}</code>"
        view.value = (
            f"<p>{head}</p>"
            + "".join(_span(vocab[i], _TINTS[i % len(_TINTS)], f"id {i}") for i in ids)
            + f"<p>{size} bytes, {len(ids)} tokens</p>"
        )

    def restart(_change: object = None) -> None:
        steps.clear()
        if box.value:
            steps.append((0, encode(box.value, [])))
        for learnt in range(1, len(merges) + 1 if box.value else 0):
            ids = encode(box.value, merges[:learnt])
            if ids != steps[-1][1]:
                steps.append((learnt, ids))
        last = max(len(steps) - 1, 0)
        slider.max = play.max = max(last, 1)
        slider.value = min(slider.value, last)
        redraw()

    widgets.jslink((play, "value"), (slider, "value"))
    slider.observe(redraw, names="value")
    box.observe(restart, names="value")
    restart()
    display(widgets.VBox([box, widgets.HBox([play, slider], layout=_WIDE), view]))


def surprise_map(score: Callable[[str], Sequence[tuple[bytes, float]]], text: str) -> None:
    """Type a sentence and see which tokens a model did not expect.

    Args:
        score: text -> one (bytes, bits) per scored token; bits = -log2 of its probability.
        text: the sentence to begin with.
    """
    box = widgets.Text(value=text, description="Text", layout=_WIDE)
    view = widgets.HTML()

    def redraw(_change: object = None) -> None:
        scored = list(score(box.value)) if box.value else []
        if not scored:
            view.value = "<p>Type at least two tokens: the first one is only a condition.</p>"
            return
        total = sum(bits for _, bits in scored)
        size = sum(len(data) for data, _ in scored)
        view.value = (
            "".join(_span(data, _heat(bits), f"{bits:.1f} bits") for data, bits in scored)
            + f"<p>{total:.0f} bits for {len(scored)} tokens: perplexity "
            f"{2 ** (total / len(scored)):.1f} per token, {total / size:.2f} bits per byte. "
            "White: expected. Orange: a surprise. Point at a token for its bits.</p>"
        )

    box.observe(redraw, names="value")
    redraw()
    display(widgets.VBox([box, view]))


def show_token(data: bytes) -> str:
    """A token as HTML: spaces and line ends made visible, incomplete UTF-8 as hexadecimal."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return "‹" + data.hex(" ").upper() + "›"
    return html.escape(text.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥"))


def _span(data: bytes, colour: str, title: str) -> str:
    style = _TOKEN.format(colour=colour)
    return f'<span style="{style}" title="{html.escape(title)}">{show_token(data)}</span>'


def _heat(bits: float) -> str:
    """White at 0 bits, the palette's orange (230, 159, 0) from 16 bits on."""
    share = min(max(bits / 16.0, 0.0), 1.0)
    red, green, blue = (round(255 + share * (end - 255)) for end in (230, 159, 0))
    return f"rgb({red},{green},{blue})"
