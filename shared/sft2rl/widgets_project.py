"""Widgets of the final project: what a word earns, and texts side by side."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display

from sft2rl import style
from sft2rl.project_results import LABELS, Results
from sft2rl.reward import RewardModel

GOOD, BAD = "0, 114, 178", "213, 94, 0"


def word_scores(
    judge: RewardModel, text: str = "a warm and funny film, but a bit too long."
) -> None:
    """A text box; below it the reward of the text and what each word and word pair adds."""
    box = ipywidgets.Text(value=text, description="Text", layout=ipywidgets.Layout(width="95%"))
    view = ipywidgets.HTML()

    def show(_: object = None) -> None:
        view.value = score_table(judge, box.value)

    box.observe(show, "value")
    show()
    display(ipywidgets.VBox([box, view]))


def score_table(judge: RewardModel, text: str, most: int = 12) -> str:
    """HTML: the reward, and the n-grams that matter most, with their shares as numbers."""
    total = float(judge.rewards([text])[0])
    shares = judge.explain(text)
    cells = "".join(
        f'<span style="background: rgba({GOOD if share > 0 else BAD}, '
        f'{min(0.75, abs(share)):.2f}); padding: 2px 5px; margin: 2px; display: inline-block">'
        f"{html.escape(gram)} {share:+.2f}</span>"
        for gram, share in shares[:most]
    )
    left_out = "; the largest below" if len(shares) > most else ""
    return f"<p><b>R = {total:+.2f}</b> (the sum of all shares{left_out})</p><p>{cells}</p>"


def side_by_side(
    prompts: Sequence[str],
    texts: Mapping[str, Sequence[str]],
    scores: Mapping[str, Sequence[float]],
) -> None:
    """Choose a prompt and read what each policy made of it, with the same luck.

    Args:
        prompts: the openings.
        texts, scores: name of a policy -> one text and one reward per prompt.
    """
    choice = ipywidgets.IntSlider(0, 0, len(prompts) - 1, description="Prompt")
    view = ipywidgets.HTML()

    def show(_: object = None) -> None:
        i = choice.value
        rows = "".join(
            f"<tr><td><b>{html.escape(name)}</b></td><td>{scores[name][i]:+.2f}</td>"
            f'<td style="text-align: left">{html.escape(texts[name][i])}</td></tr>'
            for name in texts
        )
        head = "<tr><th>policy</th><th>R</th><th>text</th></tr>"
        view.value = f"<p>“{html.escape(prompts[i])} …”</p><table>{head}{rows}</table>"

    choice.observe(show, "value")
    show()
    display(ipywidgets.VBox([choice, view]))


def frontier(results: Results, beta: float = 0.2) -> None:
    """Reward against KL divergence of all unshifted runs, with 95 % intervals over seeds."""
    fig, ax = style.figure(
        f"Reward against KL; grey: equal J at β = {beta}",
        "KL(π‖π_ref) of a completion (nats)",
        "reward of the shipped judge",
    )
    start = results.reference
    ax.plot(0, start["reward"], "k*", ms=10, label="reference")
    colours = dict(zip(LABELS, style.COLOURS.values(), strict=False))
    for kind, label in LABELS.items():
        names = [n for n in results.names if n == kind or n[: len(kind) + 1] == f"{kind}-"]
        names = [n for n in names if n.count("-") == kind.count("-") + (n != kind)]
        points = [(results.interval(n, "kl"), results.interval(n, "reward"), n) for n in names]
        points = [point for point in points if "+" not in point[2]]
        if not points:
            continue
        points.sort(key=lambda point: point[0].mean)
        x, y = [kl for kl, _, _ in points], [reward for _, reward, _ in points]
        ax.errorbar(
            [each.mean for each in x],
            [each.mean for each in y],
            [each.half_width for each in y],
            [each.half_width for each in x],
            fmt="o-",
            ms=4,
            lw=1,
            color=colours[kind],
            label=label,
        )
    kl = np.linspace(0, ax.get_xlim()[1], 2)
    low, high = ax.get_ylim()
    for J in np.arange(np.floor(low * 5) / 5, high, 0.2):
        ax.plot(kl, J + beta * kl, color="grey", lw=0.6, alpha=0.5, zorder=0)
    ax.set(ylim=(low, high), xlim=(-0.2, kl[1]))
    ax.legend(fontsize=8)
    plt.show()
