"""Maps of assignment 13: values as colours and a policy as arrows, on the lecture's grid.

Whatever is graded comes in as the student's own function; nothing graded is written here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import torch
from IPython.display import display

from sft2rl import grid, style

_PRIZES = {
    "final": {grid.cell(5, 5): "+7"},
    "fine": {grid.cell(2, 4): "+3", grid.cell(3, 5): "+4"},
}


def draw_map(
    ax: Any,
    kind: str,
    values: torch.Tensor,
    pi: torch.Tensor,
    t: int,
    flag: int = 0,
    title: str | None = None,
) -> None:
    """Draw the 25 cells after t moves: a colour for the value, four arrows for the policy.

    Args:
        ax: the axes to draw on.
        kind: "final" or "fine".
        values: [S] value of every state, S = 12 P, numbered P * t + place.
        pi: [S, 4] probabilities of up, down, left, right.
        t: moves made so far, 0 to 11.
        flag: 1 if the +3 of the fine setting was taken.
        title: default: the setting and the time.
    """
    cells = grid.SIZE**2
    first = cells * (1 + (kind == "fine")) * t + cells * flag
    v = values[first : first + cells].reshape(grid.SIZE, grid.SIZE)
    policy = pi[first : first + cells]
    goal = grid.cell(5, 5) if kind == "final" else grid.cell(3, 5)
    ax.imshow(v, cmap="Blues", vmin=-1, vmax=9)
    for here in range(cells):
        row, col = divmod(here, grid.SIZE)
        prize = _PRIZES[kind].get(here)
        if prize:
            ax.text(
                *(col + 0.46, row - 0.46), prize, ha="right", va="top",
                color=style.COLOURS["red"], fontsize=9, weight="bold",
            )  # fmt: skip
        if here == goal:
            continue
        ax.text(col - 0.46, row - 0.46, f"{float(v[row, col]):.1f}", va="top", fontsize=7)
        for (down, right), p in zip(grid.MOVES, policy[here].tolist(), strict=True):
            if p > 0.02:
                ax.arrow(
                    *(col, row, 0.4 * p * right, 0.4 * p * down), width=0.03, head_width=0.13,
                    head_length=0.09, color=style.COLOURS["orange"], length_includes_head=False,
                )  # fmt: skip
    taken = ", +3 taken" if flag else ""
    ax.set(title=title or f"{kind} reward, after {t} moves{taken}", xlabel="column", ylabel="row")
    ticks = range(grid.SIZE)
    ax.set_xticks(ticks, [k + 1 for k in ticks])
    ax.set_yticks(ticks, [k + 1 for k in ticks])
    ax.grid(False)


def grid_lab(grid_soft_optimum: Callable, evaluate_policy_kl: Callable) -> None:
    """The optimal policy of the grid, with a clock and a leash to play with.

    Args:
        grid_soft_optimum: the student's function of (kind, beta).
        evaluate_policy_kl: the student's function of (mdp, pi, ref, beta).
    """
    kind = widgets.Dropdown(options=list(grid.KINDS), value="fine", description="reward")
    taken = widgets.Checkbox(False, description="+3 taken")
    clock = widgets.IntSlider(0, min=0, max=grid.HORIZON - 1, description="moves made")
    beta = widgets.FloatLogSlider(1.0, base=10, min=-1, max=1, step=0.1, description="β")

    def draw(kind: str, taken: bool, clock: int, beta: float) -> None:
        mdp, pi, value = grid_soft_optimum(kind, beta)
        ref = torch.full_like(pi, 0.25)
        values = evaluate_policy_kl(mdp, pi, ref, beta)
        reward = float(evaluate_policy_kl(mdp, pi, ref, 0.0)[0])
        style.use()
        fig, ax = plt.subplots(layout="constrained", figsize=(4.4, 4.4))
        title = f"J(π*) = {value:.2f}, E[R] = {reward:.2f}, KL = {(reward - value) / beta:.2f}"
        draw_map(ax, kind, values, pi, clock, int(taken and kind == "fine"), title)
        plt.show()

    controls = {"kind": kind, "taken": taken, "clock": clock, "beta": beta}
    output = widgets.interactive_output(draw, controls)
    # The figure must not squeeze the sliders' labels.
    panel = widgets.VBox([kind, taken, clock, beta], layout=widgets.Layout(min_width="310px"))
    display(widgets.HBox([panel, output]))
