"""Widgets of the decoding notebook: sliders on a real next-token distribution, and drafts at work.

Both show what the notebook's own functions return.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

import ipywidgets as widgets
import torch
from IPython.display import HTML, display

from sft2rl.style import COLOURS

SHOWN = 12
LENGTH = 20
_WIDE = widgets.Layout(width="95%")
_TOKEN = (
    "display:inline-block;margin:2px 1px;padding:1px 4px;border-radius:4px;color:#000;"
    "font-family:monospace;white-space:pre;"
)


def explorer(
    encode: Callable[[str], list[int]],
    decode: Callable[[list[int]], str],
    logits: Callable[[list[int]], torch.Tensor],
    temperature_probs: Callable[[torch.Tensor, float], torch.Tensor],
    top_p_filter: Callable[[torch.Tensor, float], torch.Tensor],
    write: Callable[[list[int], torch.Tensor, float, float], list[int]],
    text: str,
) -> None:
    """Type the beginning of a text, move temperature and top-p, and read what comes.

    Args:
        encode, decode: text -> ids and back.
        logits: ids -> logits [V] of the next token.
        temperature_probs, top_p_filter: the student's functions.
        write: write(ids, luck, tau, p) continues ids with one token per uniform number.
        text: the beginning to start with.
    """
    box = widgets.Text(value=text, description="Text", layout=_WIDE, continuous_update=False)
    tau = widgets.FloatLogSlider(
        value=1.0, min=-1, max=0.5, step=0.05, description="τ", continuous_update=False
    )
    p = widgets.FloatSlider(
        value=1.0, min=0.05, max=1, step=0.05, description="top-p", continuous_update=False
    )
    again = widgets.Button(description="new luck", layout=widgets.Layout(width="auto"))
    view = widgets.HTML()
    generator = torch.Generator().manual_seed(1)
    luck = [_uniform(generator)]

    def redraw(_: object = None) -> None:
        ids = encode(box.value)
        raw = logits(ids)
        before, after = raw.softmax(-1), temperature_probs(raw, tau.value)
        after = top_p_filter(after, p.value)
        new = write(ids, luck[0], tau.value, p.value)[len(ids) :]
        view.value = _bars(before, after, decode) + _facts(before, after) + _story(ids, new, decode)

    def reroll(_: object) -> None:
        luck[0] = _uniform(generator)
        redraw()

    for control in (box, tau, p):
        control.observe(redraw, "value")
    again.on_click(reroll)
    redraw()
    display(widgets.VBox([box, widgets.HBox([tau, p, again], layout=_WRAP), view]))


def show_steps(
    prefix: list[int],
    steps: Sequence[Sequence[int]],
    decode: Callable[[list[int]], str],
    gamma: int,
    eos: int,
) -> None:
    """A text written by speculative sampling: accepted drafts, replacements and bonus tokens.

    Args:
        prefix: ids of the beginning.
        steps: the tokens of each step; what follows the EOS is left out.
        gamma: drafts per step: a step of gamma + 1 tokens ends with a bonus.
        eos: the token that ends the text.
    """
    parts, total = [html.escape(decode(prefix))], 0
    for step in steps:
        kinds = ["accepted"] * (len(step) - 1) + ["bonus" if len(step) > gamma else "replaced"]
        for token, kind in zip(step, kinds, strict=True):
            parts.append(_span(decode([token]), _LOOKS[kind]))
            total += 1
            if token == eos:
                break
        parts.append("<b>|</b>")
    summary = f"{total} tokens in {len(steps)} passes: {total / len(steps):.2f} per pass"
    display(HTML(f"<p>{''.join(parts)}<br><small>{summary}</small></p>"))


_LOOKS = {
    "accepted": f"background:{COLOURS['sky']}",
    "replaced": f"background:{COLOURS['orange']}",
    "bonus": "background:#bfe8da;text-decoration:underline",
}


def _uniform(generator: torch.Generator) -> torch.Tensor:
    return torch.rand(LENGTH, generator=generator, dtype=torch.float64)


def _span(text: str, look: str) -> str:
    shown = html.escape(text.replace(" ", "␣"))
    return f'<span style="{_TOKEN}{look}">{shown}</span>'


def _bars(before: torch.Tensor, after: torch.Tensor, decode: Callable[[list[int]], str]) -> str:
    """One row per likely token: its probability before as an outline, after as a filled bar."""
    tokens = before.topk(SHOWN).indices.tolist()
    scale = 100 / float(torch.maximum(before, after)[tokens].max())
    rows = []
    for token in tokens:
        old, new = float(before[token]), float(after[token])
        name = html.escape(decode([token]).replace(" ", "␣"))
        rows.append(
            f'<tr><td style="font-family:monospace;text-align:right;padding-right:8px">{name}</td>'
            f'<td style="width:60%;position:relative;height:18px">'
            f'<div style="position:absolute;top:2px;height:13px;width:{new * scale:.2f}%;'
            f'background:{COLOURS["blue"]}"></div>'
            f'<div style="position:absolute;top:2px;height:13px;width:{old * scale:.2f}%;'
            f'border:1px solid #444;box-sizing:border-box"></div></td>'
            f"<td>{old:.3f} → {new:.3f}{'' if new else ' (cut)'}</td></tr>"
        )
    return f'<table style="width:95%">{"".join(rows)}</table>'


def _facts(before: torch.Tensor, after: torch.Tensor) -> str:
    entropies = [float(-torch.special.xlogy(each, each).sum()) for each in (before, after)]
    return (
        f"<p><b>{int((after > 0).sum()):,}</b> of {len(after):,} tokens can be drawn; "
        f"entropy {entropies[0]:.2f} → <b>{entropies[1]:.2f}</b> nats.</p>"
    )


def _story(ids: list[int], new: list[int], decode: Callable[[list[int]], str]) -> str:
    return f"<p>{html.escape(decode(ids))}<b>{html.escape(decode(new))}</b></p>"


_WRAP = widgets.Layout(flex_flow="row wrap")
