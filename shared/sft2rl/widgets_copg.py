"""The three laboratories of assignment 11: importance weights, update fields, offline races.

Whatever is graded comes in as the student's own function; nothing graded is written here.
"""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import display

from sft2rl import style

# Pairs of samplers (first, second) over three arms.
SAMPLERS = {
    "the paper's: mostly the worst arm": ((0.10, 0.20, 0.70), (0.05, 0.05, 0.90)),
    "uniform": ((1 / 3, 1 / 3, 1 / 3), (1 / 3, 1 / 3, 1 / 3)),
    "close to the optimum": ((0.70, 0.25, 0.05), (0.70, 0.25, 0.05)),
    "nobody draws arm 0": ((0.0, 0.22, 0.78), (0.0, 0.05, 0.95)),
}


def importance_lab(
    effective_sample_size: Callable, is_variance: Callable, rewards: torch.Tensor
) -> None:
    """Tilt the sampler away from the policy; see weights, effective sample size and estimates.

    Args:
        effective_sample_size: the student's function of [N] weights.
        is_variance: the student's function of (pi, mu, f).
        rewards: [3] positive rewards, the function that is averaged.
    """
    pi = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    tilt = widgets.FloatSlider(2.0, min=-2, max=6, step=0.25, description="s")
    size = widgets.IntSlider(50, min=10, max=500, step=10, description="samples N")
    hide = widgets.Checkbox(False, description="never draw arm 0")

    def draw(s: float, n: int, never: bool) -> None:
        mu = pi * rewards ** (-s)
        if never:
            mu[0] = 0
        mu = mu / mu.sum()
        drawn = np.random.default_rng(0).choice(3, size=(1000, n), p=mu.numpy())
        arms = torch.from_numpy(drawn)
        w = torch.where(mu > 0, pi / mu, 0.0)[arms]
        estimates = (w * rewards[arms]).mean(1).numpy()
        variance = float(is_variance(pi, mu, rewards))
        ess = float(effective_sample_size(w[0]))

        style.use()
        fig, (left, right) = plt.subplots(1, 2, layout="constrained", figsize=(8.6, 3.2))
        place = np.arange(3)
        left.bar(place - 0.2, pi, 0.4, label="π", color=style.COLOURS["blue"])
        left.bar(place + 0.2, mu, 0.4, label="μ", color=style.COLOURS["orange"])
        for arm in range(3):
            text = f"w = {float(pi[arm] / mu[arm]):.3g}" if mu[arm] > 0 else "never drawn"
            top = float(torch.maximum(pi[arm], mu[arm]))
            left.annotate(text, (arm, top), ha="center", va="bottom", fontsize=8)
        left.set(title="Policy and sampler", xlabel="arm", ylabel="probability", ylim=(0, 1.1))
        left.set_xticks(place)
        left.legend(loc="upper right", fontsize=8)
        right.hist(estimates, bins=np.linspace(0, 4.4, 56), color=style.COLOURS["sky"])
        right.axvline(float(pi @ rewards), color="black", ls="--", lw=1)
        title = (
            f"ESS of one batch {ess:.1f} of {n} · sd by theory {np.sqrt(variance / n):.3g}, "
            f"seen {estimates.std():.3g}"
        )
        right.set_title(title, fontsize=9)
        right.set(xlabel="estimate of E_π[R]", ylabel="number of estimates")
        plt.show()

    output = widgets.interactive_output(draw, {"s": tilt, "n": size, "never": hide})
    display(widgets.VBox([widgets.HBox([tilt, size, hide]), output]))


def field_lab(copg_gradient_exact: Callable, rewards: torch.Tensor, ref: torch.Tensor) -> None:
    """Where gradient ascent moves each policy over three arms, for one method and one sampler.

    Args:
        copg_gradient_exact: the student's function of (theta, R, ref, beta, mu1, mu2).
        rewards: [3] rewards.
        ref: [3] ln pi_ref.
    """
    method = widgets.Dropdown(
        options=["CoPG", "PG, b = 0", "PG, b = E[R]", "PG, b = E[R_β]"], description="method"
    )
    sampler = widgets.Dropdown(
        options=list(SAMPLERS), description="data", layout=widgets.Layout(width="330px")
    )
    beta = widgets.FloatSlider(0.5, min=0.3, max=1.5, step=0.1, description="β")

    def draw(method: str, sampler: str, beta: float) -> None:
        mu1, mu2 = (torch.tensor(mu, dtype=torch.float64) for mu in SAMPLERS[sampler])

        def ascent(theta: torch.Tensor) -> torch.Tensor:
            if method == "CoPG":
                return copg_gradient_exact(theta, rewards, ref, beta, mu1, mu2).detach()
            log_pi = theta.log_softmax(0)
            regularised = rewards - beta * (log_pi - ref)
            pi = log_pi.exp()
            baseline = {"0": torch.tensor(0.0), "E[R]": pi @ rewards, "E[R_β]": pi @ regularised}
            weight = (mu1 + mu2) * (regularised - baseline[method.removeprefix("PG, b = ")])
            return weight - pi * weight.sum()

        _triangle(ascent, method, sampler, rewards, ref, beta)

    controls = {"method": method, "sampler": sampler, "beta": beta}
    output = widgets.interactive_output(draw, controls)
    display(widgets.VBox([widgets.HBox([method, sampler, beta]), output]))


# Corners of the triangle that shows all distributions over three arms.
_CORNERS = np.array([[0.5, np.sqrt(3) / 2], [0.0, 0.0], [1.0, 0.0]])


def _triangle(
    ascent: Callable[[torch.Tensor], torch.Tensor],
    method: str,
    sampler: str,
    rewards: torch.Tensor,
    ref: torch.Tensor,
    beta: float,
) -> None:
    """Arrows of the policy's motion, the optimum, and gradient ascent from the reference."""
    places, arrows = [], []
    for i in range(1, 12):
        for j in range(1, 12 - i):
            pi = torch.tensor([i, j, 12 - i - j], dtype=torch.float64) / 12
            g = ascent(pi.log())
            step = (pi * (g - pi @ g)).numpy() @ _CORNERS
            places.append(pi.numpy() @ _CORNERS)
            arrows.append(step / (np.linalg.norm(step) + 1e-12))
    theta = ref.clone()
    path = [theta.softmax(0).numpy()]
    for _ in range(1500):
        theta = theta + 0.1 * ascent(theta)
        path.append(theta.softmax(0).numpy())
    path = np.array(path) @ _CORNERS
    best = (ref + rewards / beta).softmax(0).numpy() @ _CORNERS

    style.use()
    fig, ax = plt.subplots(layout="constrained", figsize=(5.6, 4.6))
    ax.plot(*np.vstack([_CORNERS, _CORNERS[:1]]).T, color="black", lw=1)
    ax.quiver(*np.array(places).T, *np.array(arrows).T, color="0.6", scale=28, width=0.004)
    ax.plot(*path.T, color=style.COLOURS["red"], lw=1.5, label="gradient ascent")
    ax.plot(*best, "*", ms=16, color=style.COLOURS["blue"], label="π*")
    ax.plot(*path[-1], "o", ms=4, color=style.COLOURS["red"], label="its end")
    for arm, (x, y) in enumerate(_CORNERS):
        up = 0.03 if arm == 0 else -0.03
        ax.text(x, y + up, f"always arm {arm}", ha="center", va="bottom" if up > 0 else "top")
    ax.set(title=f"{method} · data: {sampler}", xlim=(-0.15, 1.15), ylim=(-0.1, 0.98))
    ax.set_aspect("equal")
    ax.axis("off")
    ax.legend(loc="upper right", fontsize=8)
    plt.show()


# What the race can show: label -> (method, which labels of offline_pairs, colour, line).
_METHODS = {
    "CoPG": ("copg", None, "blue", "-"),
    "PG, b = 0": ("pg", None, "red", "-"),
    "PG, b = E[R]": ("pg_value", None, "orange", "-"),
    "PG, b = E[R_β]": ("pg_value_beta", None, "sky", "--"),
    "DPO, sampled labels": ("dpo", 2, "green", "-"),
    "DPO, deterministic labels": ("dpo", 3, "green", ":"),
    "IPO, sampled labels": ("ipo", 2, "purple", "-"),
}


def offline_lab(
    train_offline_bandit: Callable,
    offline_pairs: Callable,
    rewards: torch.Tensor,
    ref: torch.Tensor,
) -> None:
    """Choose data, beta and methods, and race them again; drawn as each method finishes.

    Args:
        train_offline_bandit: the student's function.
        offline_pairs: (mu1, mu2, R, n, seed) -> (y, y2, sampled labels, deterministic labels).
        rewards: [3] rewards.
        ref: [3] ln pi_ref.
    """
    sampler = widgets.Dropdown(
        options=list(SAMPLERS), description="data", layout=widgets.Layout(width="330px")
    )
    beta = widgets.SelectionSlider(
        options=[0.1, 0.2, 0.3, 0.5, 0.7, 1.0], value=0.5, description="β"
    )
    steps = widgets.IntSlider(600, min=200, max=3000, step=200, description="Adam steps")
    shift = widgets.FloatSlider(0.0, min=-3, max=3, step=0.5, description="add to R")
    chosen = {
        name: widgets.Checkbox(name in ("CoPG", "PG, b = E[R]"), description=name, indent=False)
        for name in _METHODS
    }
    run = widgets.Button(description="Race", button_style="primary")
    output = widgets.Output()

    def race(_: object = None) -> None:
        mu1, mu2 = (torch.tensor(mu, dtype=torch.float64) for mu in SAMPLERS[sampler.value])
        reward = rewards + shift.value
        data = offline_pairs(mu1, mu2, reward, 10_000, seed=0)
        fig, ax = style.figure(
            f"β = {beta.value} · data: {sampler.value}", "Adam step", "regret (log scale)"
        )
        ax.set(yscale="log", ylim=(1e-9, 3), xlim=(0, steps.value))
        for name, (method, labels, colour, line) in _METHODS.items():
            if not chosen[name].value:
                continue
            curve = train_offline_bandit(
                method,
                data[0],
                data[1],
                reward,
                ref,
                beta.value,
                steps=steps.value,
                first_wins=None if labels is None else data[labels],
            )
            label = f"{name}: ends at {float(curve[-1]):.2g}"
            ax.plot(curve.clamp(min=1e-16), line, color=style.COLOURS[colour], label=label)
            ax.legend(fontsize=8, loc="lower left")
            with output:
                output.clear_output(wait=True)
                display(fig)
        plt.close(fig)

    run.on_click(race)
    boxes = widgets.GridBox(
        list(chosen.values()),
        layout=widgets.Layout(grid_template_columns="repeat(4, 200px)"),
    )
    controls = widgets.HBox([sampler, beta])
    more = widgets.HBox([steps, shift, run])
    display(widgets.VBox([controls, more, boxes, output]))
    race()
