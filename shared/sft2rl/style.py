"""One look for every figure: a colour-blind-safe palette and a quiet grid."""

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

# Okabe and Ito (2008): eight colours that stay apart for every common colour vision.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "red": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "black": "#000000",
}


def use() -> None:
    """Set the course's matplotlib style for all figures that follow."""
    plt.rcParams.update(
        {
            "axes.prop_cycle": plt.cycler(color=list(COLOURS.values())),
            "axes.grid": True,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "figure.dpi": 110,
            "figure.figsize": (6.4, 3.6),
            "font.size": 10,
            "grid.alpha": 0.3,
            "legend.frameon": False,
        }
    )


def figure(title: str, xlabel: str, ylabel: str, **subplots: Any) -> tuple[Figure, Any]:
    """A figure with one labelled pair of axes; `subplots` goes to `plt.subplots`."""
    use()
    fig, ax = plt.subplots(layout="constrained", **subplots)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    return fig, ax
