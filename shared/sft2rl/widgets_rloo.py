"""The widget of assignment 10: every possible policy-gradient estimate, drawn as a cloud.

Nothing here is computed twice: the weights come from the student's `expected_estimator` (the mean
of an indicator is a probability) and the estimates from the student's estimators.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import ipywidgets as widgets
import matplotlib.pyplot as plt
import torch
from IPython.display import display

from sft2rl import style

# An orthonormal basis of the plane in which the coordinates of a 3-vector sum to zero.
PLANE = torch.tensor([[1.0, -1.0, 0.0], [1.0, 1.0, -2.0]], dtype=torch.float64)
PLANE = PLANE / PLANE.norm(dim=1, keepdim=True)

Estimator = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def clouds(
    expected_estimator: Callable[[torch.Tensor, torch.Tensor, int, Estimator], torch.Tensor],
    estimators: Mapping[str, Callable[[torch.Tensor, torch.Tensor], Estimator]],
) -> None:
    """Show one cloud of estimates per estimator, with sliders for a bandit of three outcomes.

    Args:
        expected_estimator: the student's exact mean over K-tuples.
        estimators: title of the panel -> function of (probs, A) that returns the estimator.
    """
    sliders = {
        "a": _slider("reward a", 3.0, -4, 4),
        "b": _slider("reward b", 1.0, -4, 4),
        "c": _slider("reward c", -1.0, -4, 4),
        "shift": _slider("shift all", 0.0, -8, 8),
        "likes_a": _slider("logit a", -0.4, -3, 3),
        "likes_b": _slider("logit b", 0.5, -3, 3),
        "K": widgets.IntSlider(
            value=2, min=2, max=4, description="samples K", continuous_update=False
        ),
    }
    image = widgets.Image(format="png", layout=widgets.Layout(width="100%", max_width="1040px"))

    def redraw(_change: object = None) -> None:
        at = {name: slider.value for name, slider in sliders.items()}
        logits = torch.tensor([at["likes_a"], at["likes_b"], 0.0], dtype=torch.float64)
        rewards = torch.tensor([at["a"], at["b"], at["c"]], dtype=torch.float64) + at["shift"]
        image.value = draw(expected_estimator, estimators, logits.softmax(0), rewards, at["K"])

    for slider in sliders.values():
        slider.observe(redraw, names="value")
    redraw()
    rows = [list(sliders.values())[:4], list(sliders.values())[4:]]
    display(widgets.VBox([*(widgets.HBox(row, layout=_WRAP) for row in rows), image]))


def draw(
    expected_estimator: Callable[[torch.Tensor, torch.Tensor, int, Estimator], torch.Tensor],
    estimators: Mapping[str, Callable[[torch.Tensor, torch.Tensor], Estimator]],
    probs: torch.Tensor,
    A: torch.Tensor,
    K: int,
) -> bytes:
    """The four panels as a PNG image."""
    style.use()
    fig, axes = plt.subplots(
        1, len(estimators), figsize=(11, 3.3), sharex=True, sharey=True, layout="constrained"
    )
    truth = expected_estimator(probs, A, 1, lambda rewards, scores: rewards @ scores)
    for ax, (title, build) in zip(axes, estimators.items(), strict=True):
        points, weights = _tuples(expected_estimator, build(probs, A), probs, A, K)
        mean = weights @ points
        spread = float(weights @ ((points - mean) ** 2).sum(1))
        bias = float((mean - truth).norm())
        x, y = (points @ PLANE.T).T
        ax.scatter(x, y, s=6 + 900 * weights, color=style.COLOURS["sky"], alpha=0.5, linewidths=0)
        ax.plot(*(PLANE @ truth), "*", color=style.COLOURS["orange"], markersize=15, label="grad J")
        ax.plot(*(PLANE @ mean), "x", color=style.COLOURS["black"], markersize=9, label="mean")
        ax.set_title(f"{title}\nbias {bias:.3f} · variance {spread:.3f}", fontsize=10)
        ax.set_xlabel("towards a, away from b")
    axes[0].set_ylabel("towards a and b, away from c")
    axes[0].legend(fontsize=8)
    fig.suptitle(f"pi = ({', '.join(f'{p:.2f}' for p in probs.tolist())}), K = {K}", fontsize=10)
    picture = io.BytesIO()
    fig.savefig(picture, format="png", dpi=100)
    plt.close(fig)
    return picture.getvalue()


def _tuples(
    expected_estimator: Callable, estimator: Estimator, probs: torch.Tensor, A: torch.Tensor, K: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Every estimate [N, 3] and its probability [N]."""
    count = len(probs) ** K
    points: list[torch.Tensor] = []

    def indicator(rewards: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        points.append(estimator(rewards, scores))
        which = torch.zeros(count, dtype=torch.float64)
        which[len(points) - 1] = 1.0
        return which

    weights = expected_estimator(probs, A, K, indicator)
    return torch.stack(points), weights


def _slider(text: str, value: float, low: float, high: float) -> widgets.FloatSlider:
    return widgets.FloatSlider(
        value=value, min=low, max=high, step=0.1, description=text, continuous_update=False
    )


_WRAP = widgets.Layout(flex_flow="row wrap")
