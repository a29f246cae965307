"""The widget of assignment 07: one path through a narrow valley, with sliders."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import display

from sft2rl import style

START, STIFFNESS = (-9.0, 1.5), (1.0, 30.0)
Step = Callable[[torch.Tensor, torch.Tensor, dict], tuple[torch.Tensor, dict]]


def playground(optimizers: Mapping[str, Callable[[float, float], Step]]) -> None:
    """Show the path of one optimiser through the valley f = (x^2 + 30 y^2) / 2.

    Args:
        optimizers: name -> function of (learning rate, momentum) that gives a step: a function of
            (p, g, state) that returns (p, state).
    """
    kind = widgets.Dropdown(options=list(optimizers), description="optimiser")
    lr = widgets.FloatLogSlider(
        value=0.05, min=-2.5, max=0.3, step=0.05, description="lr", continuous_update=False
    )
    momentum = widgets.FloatSlider(
        value=0.8, min=0, max=0.99, step=0.01, description="momentum", continuous_update=False
    )
    steps = widgets.IntSlider(
        value=25, min=1, max=100, description="steps", continuous_update=False
    )
    image = widgets.Image(format="png", layout=widgets.Layout(width="100%", max_width="720px"))

    def redraw(_change: object = None) -> None:
        step = optimizers[kind.value](lr.value, momentum.value)
        image.value = draw(walk(step, steps.value), kind.value)

    for control in (kind, lr, momentum, steps):
        control.observe(redraw, names="value")
    redraw()
    rows = [widgets.HBox([kind, lr]), widgets.HBox([momentum, steps])]
    display(widgets.VBox([*rows, image]))


def walk(step: Step, steps: int) -> np.ndarray:
    """[steps + 1, 2] points visited; it ends early when it has left the picture for good."""
    stiffness = torch.tensor(STIFFNESS, dtype=torch.float64)
    p, state = torch.tensor(START, dtype=torch.float64), dict[str, object]()
    path = [p.numpy().copy()]
    for _ in range(steps):
        p, state = step(p, stiffness * p, state)
        path.append(p.numpy().copy())
        if float(p.abs().max()) > 1e3:
            break
    return np.array(path)


def draw(path: np.ndarray, name: str) -> bytes:
    """The valley and the path as a PNG image."""
    distance = math.hypot(*path[-1])
    end = f"distance {distance:.3g}" if distance < 1e3 else "it diverges"
    fig, ax = style.figure(
        f"{name}: after {len(path) - 1} steps, {end}", "x", "y", figsize=(7, 3.4)
    )
    x, y = np.meshgrid(np.linspace(-10, 6, 161), np.linspace(-2.4, 2.4, 97))
    height = (STIFFNESS[0] * x**2 + STIFFNESS[1] * y**2) / 2
    ax.contour(x, y, height, levels=[0.5, 3, 10, 25, 45, 70], colors="0.8")
    ax.plot(*path.T, ".-", color=style.COLOURS["blue"], lw=1)
    ax.plot(0, 0, "k*", ms=10)
    ax.set(xlim=(-10, 6), ylim=(-2.4, 2.4))
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=110)
    plt.close(fig)
    return buffer.getvalue()
