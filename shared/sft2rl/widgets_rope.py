"""Widgets of the notebook on rotary positions: a clock with many hands, and turning dials."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import torch
from IPython.display import display

from sft2rl import style

_QUERY, _KEY = style.COLOURS["blue"], style.COLOURS["orange"]


def clock(table: torch.Tensor) -> None:
    """Draw one row of a sinusoidal table as clock hands; a slider chooses the row.

    Args:
        table: [L, d], sine in the even columns, cosine in the odd ones.
    """
    length, width = table.shape
    position = widgets.IntSlider(
        value=1, min=0, max=length - 1, description="position p", layout=_WIDE
    )

    def draw(p: int) -> None:
        fig, axes = _dials(width // 2)
        for i, ax in enumerate(axes):
            sine, cosine = table[p, 2 * i].item(), table[p, 2 * i + 1].item()
            _hand(ax, cosine, sine, _QUERY)
            ax.set_title(f"columns {2 * i}, {2 * i + 1}", fontsize=9)
            ax.set_xlabel(f"sin {sine:+.3f}, cos {cosine:+.3f}", fontsize=9)
        plt.show()

    display(position, widgets.interactive_output(draw, {"p": position}))


def rotation_dials(
    apply_rope: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    rope_angles: Callable[[int, int, float], torch.Tensor],
) -> None:
    """Turn the four pairs of a query and a key of width 8 and show each pair's part of the score.

    Args:
        apply_rope: the student's rotation, (x [..., L, 8], angles [L, 4]) -> shape of x.
        rope_angles: the student's angles, (L, d_head, base) -> [L, d_head/2].
    """
    query = torch.tensor([[1.0, 0.0, 0.8, 0.3, 0.9, -0.2, 0.5, 0.7]], dtype=torch.float64)
    key = torch.tensor([[0.9, 0.3, 0.6, 0.7, 0.2, 0.9, 0.8, 0.4]], dtype=torch.float64)
    sliders = {
        "m": widgets.IntSlider(value=3, max=60, description="query at m", layout=_WIDE),
        "n": widgets.IntSlider(value=1, max=60, description="key at n", layout=_WIDE),
        "shift": widgets.IntSlider(value=0, max=200, description="shift both", layout=_WIDE),
        "base": widgets.Dropdown(options=[100.0, 10_000.0], description="base"),
    }

    def draw(m: int, n: int, shift: int, base: float) -> None:
        angles = rope_angles(m + n + shift + 1, 8, base)
        q = apply_rope(query, angles[m + shift : m + shift + 1])[0]
        k = apply_rope(key, angles[n + shift : n + shift + 1])[0]
        parts = (q * k).view(4, 2).sum(-1)
        fig, axes = _dials(4)
        for i, ax in enumerate(axes):
            _hand(ax, q[2 * i].item(), q[2 * i + 1].item(), _QUERY)
            _hand(ax, k[2 * i].item(), k[2 * i + 1].item(), _KEY)
            degrees = torch.rad2deg(rope_angles(2, 8, base)[1, i]).item()
            ax.set_title(f"pair {i}: {degrees:.3g}° per token", fontsize=9)
            ax.set_xlabel(f"adds {parts[i].item():+.4f}", fontsize=9)
        fig.suptitle(
            f"query (blue) at {m + shift}, key (orange) at {n + shift}, "
            f"m - n = {m - n}:  score {parts.sum().item():+.4f}",
            fontsize=10,
        )
        plt.show()

    display(widgets.VBox(list(sliders.values())), widgets.interactive_output(draw, sliders))


_WIDE = widgets.Layout(width="420px")


def _dials(count: int) -> tuple[Any, Any]:
    """One row of `count` empty dials: unit circles without ticks."""
    fig, axes = plt.subplots(
        1, count, figsize=(2.1 * count, 2.7), layout="constrained", squeeze=False
    )
    for ax in axes[0]:
        ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.75"))
        ax.set(xlim=(-1.15, 1.15), ylim=(-1.15, 1.15), aspect="equal", xticks=[], yticks=[])
        ax.grid(False)
        ax.spines[:].set_visible(False)
    return fig, axes[0]


def _hand(ax: Any, x: float, y: float, colour: str) -> None:
    """An arrow from the centre of a dial to (x, y)."""
    style_of_arrow = {"arrowstyle": "-|>", "color": colour, "lw": 2, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", xy=(x, y), xytext=(0, 0), arrowprops=style_of_arrow)
