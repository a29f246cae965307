"""Widgets and figures of the notebook on preferences and DPO.

Every function takes the student's own functions: nothing here knows an answer.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import display

from sft2rl import style

_BLUE, _ORANGE, _GREEN, _RED = (style.COLOURS[name] for name in ("blue", "orange", "green", "red"))


def _beta_slider(beta: float = 0.5) -> widgets.FloatLogSlider:
    return widgets.FloatLogSlider(
        value=beta, min=-2, max=1, step=0.05, description="beta", readout_format=".3f"
    )


def judge(
    prompt: str,
    replies: dict[str, str],
    wins: torch.Tensor,
    fit_bt: Callable[[torch.Tensor, float, int], torch.Tensor],
) -> None:
    """Be the annotator: click the better of two replies and watch the rewards being fitted again.

    Args:
        prompt: what the replies answer.
        replies: name -> text.
        wins: votes so far; wins[i, j] = how often reply i beat reply j. A copy is extended.
        fit_bt: the student's function (wins, lr, steps) -> rewards.
    """
    names = list(replies)
    votes = wins.clone()
    pairs = [(i, j) for i in range(len(names)) for j in range(i)]
    state = {"turn": 0}
    texts = [widgets.HTML(), widgets.HTML()]
    buttons = [widgets.Button(description="This one is better") for _ in texts]
    chart = widgets.Output()

    def draw() -> None:
        i, j = pairs[(7 * state["turn"]) % len(pairs)]
        for text, name in zip(texts, (names[i], names[j]), strict=True):
            text.value = f"<i>{html.escape(replies[name])}</i>"
        rewards = fit_bt(votes, 2.0, 400)
        heights = (rewards - rewards.mean()).tolist()
        chart.clear_output(wait=True)
        with chart:
            fig, ax = style.figure(
                f"Rewards after {int(votes.sum())} votes", "reward (mean 0)", "", figsize=(6, 2.4)
            )
            colours = [_ORANGE if k in (i, j) else _BLUE for k in range(len(names))]
            ax.barh(names, heights, color=colours)
            plt.show()

    def vote(first: bool) -> None:
        i, j = pairs[(7 * state["turn"]) % len(pairs)]
        votes[(i, j) if first else (j, i)] += 1
        state["turn"] += 1
        draw()

    buttons[0].on_click(lambda _: vote(True))
    buttons[1].on_click(lambda _: vote(False))
    draw()
    question = widgets.HTML(f"<b>{html.escape(prompt)}</b>")
    half = widgets.Layout(width="48%")
    sides = [widgets.VBox(pair, layout=half) for pair in zip(texts, buttons, strict=True)]
    display(widgets.VBox([question, widgets.HBox(sides), chart]))


def beta_explorer(
    optimal_policy: Callable[..., torch.Tensor],
    kl_objective: Callable[..., torch.Tensor],
    ref_probs: torch.Tensor,
    rewards: torch.Tensor,
) -> None:
    """A slider for beta and one per reward: bars of the reference and of the optimal policy."""
    names = [f"y{k + 1}" for k in range(len(rewards))]
    sliders = {
        name: widgets.FloatSlider(value=float(r), min=-1, max=4, step=0.1, description=f"R({name})")
        for name, r in zip(names, rewards, strict=True)
    }

    def draw(beta: float, **values: float) -> None:
        r = torch.tensor([values[name] for name in names], dtype=ref_probs.dtype)
        policy = optimal_policy(ref_probs, r, beta)
        best = float(kl_objective(policy, ref_probs, r, beta))
        start = float(kl_objective(ref_probs, ref_probs, r, beta))
        title = f"beta = {beta:.3f}: J rises from {start:.3f} to {best:.3f}"
        _, ax = style.figure(title, "completion", "probability", figsize=(6, 2.8))
        places = np.arange(len(names))
        ax.bar(places - 0.2, ref_probs, 0.4, color=_BLUE, label="reference")
        ax.bar(places + 0.2, policy, 0.4, color=_ORANGE, label="optimal policy")
        ax.set(xticks=places, xticklabels=names, ylim=(0, 1))
        ax.legend()
        plt.show()

    controls = {"beta": _beta_slider(), **sliders}
    out = widgets.interactive_output(draw, controls)
    display(widgets.VBox([*controls.values(), out]))


def hacking_explorer(
    optimal_policy: Callable[..., torch.Tensor],
    lengths: torch.Tensor,
    ref_probs: torch.Tensor,
    proxy: torch.Tensor,
    true: torch.Tensor,
) -> None:
    """Lower beta and watch the policy leave what people like for what the reward model likes."""
    grid = np.geomspace(10, 0.03, 80)
    path = torch.stack([optimal_policy(ref_probs, proxy, beta) for beta in grid])
    kl = torch.xlogy(path, path / ref_probs).sum(-1)
    gains = {"reward model": (path @ proxy, _ORANGE), "people": (path @ true, _GREEN)}

    def draw(beta: float) -> None:
        policy = optimal_policy(ref_probs, proxy, beta)
        here = float(torch.xlogy(policy, policy / ref_probs).sum())
        style.use()
        _, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
        left.plot(lengths, ref_probs, color=_BLUE, label="reference")
        left.plot(lengths, policy, color=_ORANGE, label=f"optimal, beta = {beta:.2f}")
        left.set(title="What the policy writes", xlabel="length (tokens)", ylabel="probability")
        left.legend()
        for name, (values, colour) in gains.items():
            right.plot(kl, values, color=colour, label=name)
        right.axvline(here, color="grey", linestyle="--")
        right.set(
            title="What it earns", xlabel="KL to the reference (nats)", ylabel="expected reward"
        )
        right.legend()
        plt.show()

    slider = widgets.FloatLogSlider(
        value=1.0, min=-1.5, max=1, step=0.05, description="beta", readout_format=".3f"
    )
    display(widgets.VBox([slider, widgets.interactive_output(draw, {"beta": slider})]))


def simplex(
    title: str,
    paths: dict[str, torch.Tensor],
    points: dict[str, torch.Tensor],
    corners: Sequence[str],
) -> None:
    """Policies over three completions as points of a triangle.

    Args:
        title: of the figure.
        paths: name -> [n, 3] policies along a run of training.
        points: name -> [3] policies to mark.
        corners: the three completions' labels.
    """
    vertices = np.array([[0.5, np.sqrt(3) / 2], [0.0, 0.0], [1.0, 0.0]])
    fig, ax = style.figure(title, "", "", figsize=(6.4, 5))
    ax.plot(*np.vstack([vertices, vertices[:1]]).T, color="grey", linewidth=0.8)
    offsets = ((0, 8), (-10, -14), (10, -14))
    for vertex, label, offset in zip(vertices, corners, offsets, strict=True):
        ax.annotate(label, vertex, offset, textcoords="offset points", ha="center")
    for colour, (name, path) in zip(style.COLOURS.values(), paths.items(), strict=False):
        ax.plot(*(path.numpy() @ vertices).T, color=colour, label=name)
    for marker, (name, point) in zip("*sD^ov", points.items(), strict=False):
        x, y = point.numpy() @ vertices
        ax.plot(x, y, marker, color="black", markersize=8, label=name, linestyle="none")
    ax.set(aspect="equal", xticks=[], yticks=[])
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.legend(loc="upper left", fontsize=8)
    plt.show()
