# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 07 · Optimisers
#
# Lecture II.A-B · about 120 minutes, 70 of them for the exercises · 12 points by machine, 4 by hand
#
# **You will be able to**
#
# - write SGD with momentum, Adam and Muon, and agree with `torch.optim` to the last digit that
#   arithmetic allows;
# - say what momentum does in a narrow valley, and by how much it enlarges the step;
# - predict the very first step of Adam without knowing the loss;
# - find the misplaced symbol in the slide's Adam, and the gradients it would hurt;
# - orthogonalise a matrix with five matrix products, and say why "almost orthogonal" is enough.
#
# **You need** gradients, a little linear algebra (singular values), and a language model to train
# (it comes with the course).
#
# **Map** 06 · Mixture of experts and data parallelism → **07 · Optimisers** → 08 · Pretraining and supervised fine-tuning
#
# **Notation** $\theta$ or `p` is a parameter, $g$ or `g` its gradient, $\eta$ or `lr` the learning
# rate, $t=1,2,\dots$ counts the steps. All operations are elementwise, except in Muon.
#
# **One contract for all steps.** A step is a pure function: it takes a parameter, its gradient and
# a state, and *returns* the new parameter and the new state. Nothing is changed in place, neither
# the tensors nor the dictionary, and nothing is remembered elsewhere: many parameters take turns,
# each with its own state. Before the first step the state is an empty dictionary `{}` (for Muon:
# `None`). A rate or a momentum of 0 is a number like others. All results have shape and dtype of
# `p`, and carry no graph if `p` and `g` carry none. `torch.optim` is what you are building: do not
# use it inside an answer.

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "setup"}
import math

import matplotlib.pyplot as plt
import numpy as np
import torch

from sft2rl import style
from sft2rl.checks import optimizers as check
from sft2rl.widgets import predict

print("torch", torch.__version__, "· numpy", np.__version__)

# %% [markdown]
# ## 1. A ball in a valley
#
# Gradient descent follows the slope, $\theta_{t+1}=\theta_t-\eta g_t$. In a valley that is steep
# across and flat along, the slope points at the other wall: the steps zigzag, and the learning
# rate must be small enough for the steep direction. Momentum averages the zigzag away:
#
# $$v_t = \mu\,v_{t-1} + g_t,\qquad \theta_{t+1} = \theta_t - \eta\,v_t,\qquad v_0=0.$$
#
# This is the slide's convention, and torch's: $v$ is a sum of **gradients**, with decaying
# weights. Two neighbours look almost the same and are not:
#
# - $v_t=\mu v_{t-1}+(1-\mu)g_t$, an average instead of a sum. Its steps are $1/(1-\mu)$ times
#   smaller.
# - $v_t=\mu v_{t-1}-\eta g_t$, $\theta_{t+1}=\theta_t+v_t$, a sum of **steps** (Sutskever et al.,
#   2013). It is the same for a constant learning rate; when $\eta$ changes, the old steps keep the
#   old rate.
#
# By hand: $\mu=.9$, $\eta=.1$, the gradient is 1 at every step. Then $v=1,\;1.9,\;2.71,\dots$ and
# the steps are $.1,\;.19,\;.271,\dots$

# %% tags=["show"]
predict(
    "Momentum .9 and a gradient that stays 1. How large does a step become in the end, "
    "compared with plain SGD?",
    ["as large", "1.9 times", "10 times"],
    answer=2,
    why="1 + .9 + .81 + ... = 1 / (1 - .9) = 10. Whoever adds momentum to a tuned SGD "
    "must divide the learning rate.",
)

# %% [markdown]
# ### Exercise: `sgd_step` (2 points, 10 minutes, ★)
#
# One step of SGD with momentum. The state holds `v` and nothing else; it is kept up to date also
# when `momentum` is 0. `lr` may be another number at every step.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "sgd_step"}
def sgd_step(
    p: torch.Tensor, g: torch.Tensor, state: dict, lr: float, momentum: float = 0.0
) -> tuple[torch.Tensor, dict]:
    """One step of SGD with momentum, v = momentum * v + g and p = p - lr * v.

    Args:
        p: parameter, any shape, float32 or float64; not changed.
        g: its gradient, same shape and dtype; not changed.
        state: {} before the first step, later {"v": tensor of p's shape}; not changed,
            neither the dictionary nor its tensor.
        lr: learning rate of this step, at least 0.
        momentum: mu, at least 0 and below 1.

    Returns:
        (new p, new state): a tensor and a new dictionary {"v": tensor}.

    Source: the slide; torch.optim.SGD.
    """
    ### BEGIN SOLUTION
    v = momentum * state["v"] + g if state else g.clone()
    return p - lr * v, {"v": v}
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_sgd_step", "points": 2}
check.sgd_step(sgd_step)

# %% [markdown]
# Your steps in the valley $f(x,y)=\frac12(x^2+30\,y^2)$, from the same start. The largest stable
# rate of plain descent is $2/30$. *(Figure: contour lines of a long ellipse. Plain descent zigzags
# and is still 1.9 away from the middle after 25 steps; momentum swings through and is within .5.)*


# %% tags=["show"]
def descend(step, steps: int, start: tuple[float, float] = (-9.0, 1.5)) -> np.ndarray:
    """Points visited in the valley by step(p, g, state) -> (p, state)."""
    stiffness = torch.tensor([1.0, 30.0], dtype=torch.float64)
    p, state, path = torch.tensor(start, dtype=torch.float64), {}, []
    for _ in range(steps + 1):
        path.append(p.numpy().copy())
        p, state = step(p, stiffness * p, state)
    return np.array(path)


def valley(ax, paths: dict[str, np.ndarray]) -> None:
    """Contour lines of the valley, and paths through it."""
    x, y = np.meshgrid(np.linspace(-10, 4, 141), np.linspace(-2.2, 2.2, 89))
    levels = [0.5, 3, 10, 25, 45, 70]
    ax.contour(x, y, (x**2 + 30 * y**2) / 2, levels=levels, colors="0.8")
    for (name, path), colour in zip(paths.items(), ("blue", "red"), strict=True):
        ax.plot(*path.T, ".-", color=style.COLOURS[colour], lw=1, label=name)
    ax.plot(0, 0, "k*", ms=10)
    ax.set(xlim=(-10, 4), ylim=(-2.2, 2.2))
    ax.legend(loc="upper right", fontsize=8)


paths = {
    "SGD, lr .06": descend(lambda p, g, s: sgd_step(p, g, s, 0.06), 25),
    "momentum .8, lr .06": descend(lambda p, g, s: sgd_step(p, g, s, 0.06, 0.8), 25),
}
fig, ax = style.figure("25 steps in a narrow valley", "x", "y", figsize=(7, 3.4))
valley(ax, paths)
plt.show()
for name, path in paths.items():
    print(f"{name:20s} distance from the minimum after 25 steps: {np.hypot(*path[-1]):.3f}")

# %% [markdown]
# ## 2. Adam: every coordinate its own ruler
#
# The valley would be easy if each coordinate had its own learning rate. Adam (Kingma and Ba, 2015)
# measures the size of each coordinate's gradient and divides by it:
#
# $$m_t=\beta_1m_{t-1}+(1-\beta_1)g_t,\qquad v_t=\beta_2v_{t-1}+(1-\beta_2)g_t^2,$$
# $$\hat m_t=\frac{m_t}{1-\beta_1^t},\qquad \hat v_t=\frac{v_t}{1-\beta_2^t},\qquad
#   \theta_{t+1}=\theta_t-\eta\,\frac{\hat m_t}{\sqrt{\hat v_t}+\epsilon}.$$
#
# $m$ and $v$ start at 0, and $t$ at **1**: in the first step, $\hat m_1=g_1$ and $\hat v_1=g_1^2$.
# Here, unlike for momentum, averages are used, and the hats correct them for having started at 0.
# Three steps by hand, for gradients $2$, $2$, $-1$ (defaults $\beta=(.9,.999)$):

# %% tags=["show"]
m = v = 0.0
print(" t      g        m        v      m_hat    v_hat    step / lr")
for t, g in enumerate((2.0, 2.0, -1.0), start=1):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
    ratio = m_hat / math.sqrt(v_hat)
    print(f"{t:2d} {g:8.1f} {m:8.4f} {v:9.5f} {m_hat:8.4f} {v_hat:8.4f} {ratio:10.4f}")

# %% tags=["show"]
predict(
    "You multiply the loss by 1000. What happens to Adam's first step?",
    ["it is 1000 times as large", "it stays the same", "it is 1000 times as small"],
    answer=1,
    why="g / sqrt(g^2) is the sign of g. The first step of Adam is lr in every "
    "coordinate, up or down, whatever the loss.",
)

# %% tags=["show"]
predict(
    "Someone forgets the two hats (bias correction). The first step is then ...",
    ["3.16 times too large", "10 times too small", "right from the second step on"],
    answer=0,
    why="m is g/10, but sqrt(v) is |g| * sqrt(.001) = |g|/31.6: the ratio is 3.16. Both "
    "averages start too small, and the one below the fraction bar is worse.",
)

# %% [markdown]
# ### Exercise: `adam_step` (4 points, 20 minutes, ★★)
#
# One step, with the formula above: $\epsilon$ is added to the root, **outside** of it, as in the
# paper and in torch. The state counts the steps done: `t` is a Python int, 1 after the first step.
# `v` averages squared gradients, not squares of $m$.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "adam_step"}
def adam_step(
    p: torch.Tensor,
    g: torch.Tensor,
    state: dict,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> tuple[torch.Tensor, dict]:
    """One step of Adam, p = p - lr * m_hat / (sqrt(v_hat) + eps).

    Args:
        p: parameter, any shape, float32 or float64; not changed.
        g: its gradient, same shape and dtype; not changed.
        state: {} before the first step, later {"m": tensor, "v": tensor, "t": int} with
            the averages before bias correction and the number of steps done; not
            changed, neither the dictionary nor its tensors.
        lr: learning rate of this step, at least 0.
        betas: decay of m and of v, each at least 0 and below 1, in any order.
        eps: added to the square root of v_hat, > 0.

    Returns:
        (new p, new state): a tensor and a new dictionary {"m", "v", "t"}. Where all
        gradients have been 0, p stays as it is; a 0 after others is a gradient.

    Source: Kingma and Ba (2015), algorithm 1; torch.optim.Adam.
    """
    ### BEGIN SOLUTION
    beta1, beta2 = betas
    t = state["t"] + 1 if state else 1
    m = beta1 * (state["m"] if state else torch.zeros_like(p)) + (1 - beta1) * g
    v = beta2 * (state["v"] if state else torch.zeros_like(p)) + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return p - lr * m_hat / (v_hat.sqrt() + eps), {"m": m, "v": v, "t": t}
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_adam_step", "points": 4}
check.adam_step(adam_step)

# %% [markdown]
# The valley again. Adam sees both coordinates through its own rulers and starts along the diagonal,
# one `lr` in each direction. *(Figure: the path of momentum jumps from wall to wall; Adam's
# path is a smooth curve that crosses the floor a few times and ends near the middle.)*

# %% tags=["show"]
paths = {
    "momentum .8, lr .06": descend(lambda p, g, s: sgd_step(p, g, s, 0.06, 0.8), 25),
    "Adam, lr .5": descend(lambda p, g, s: adam_step(p, g, s, 0.5), 25),
}
fig, ax = style.figure("Momentum and Adam, 25 steps", "x", "y", figsize=(7, 3.4))
valley(ax, paths)
plt.show()
print("Adam's first three points:", paths["Adam, lr .5"][:3].round(3).tolist())

# %% [markdown]
# ## 3. One symbol on the slide
#
# Is your `adam_step` the slide's Adam? Look at the slide once more: it prints
#
# $$\theta_{t+1}=\theta_t-\eta\,\frac{\hat m_t}{\sqrt{\hat v_t+\epsilon}}.$$
#
# $\epsilon$ has slipped **under** the root. A matter of taste, one would think, for a number as
# small as 1e-8. Compare a first step with gradient 1e-6, a size that is quite ordinary in a large
# model. Torch first:

# %% tags=["show"]
p = torch.zeros(1, dtype=torch.float64, requires_grad=True)
optimizer = torch.optim.Adam([p], lr=1.0)
p.grad = torch.tensor([1e-6], dtype=torch.float64)
optimizer.step()
mine, _ = adam_step(torch.zeros(1, dtype=torch.float64), p.grad, {}, 1.0)
print(f"torch: step {-p.item():.6f} lr     yours: step {-mine.item():.6f} lr")

# %% tags=["show"]
predict(
    "And with epsilon = 1e-8 under the root?",
    [".990 lr, as before", ".990000 with another last digit", ".010 lr"],
    answer=2,
    why="Under the root, epsilon competes with g^2 = 1e-12 and wins: the denominator is "
    "sqrt(1e-8) = 1e-4. It acts like an epsilon of 1e-4 outside.",
)

# %% [markdown]
# ### Exercise: `adam_step_slide` (1 point, 5 minutes, ★)
#
# The slide's version, so that the two can be compared. Only the place of $\epsilon$ differs.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "adam_step_slide"}
def adam_step_slide(
    p: torch.Tensor,
    g: torch.Tensor,
    state: dict,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> tuple[torch.Tensor, dict]:
    """Adam as the slide prints it, p = p - lr * m_hat / sqrt(v_hat + eps).

    Args, state and returns: as in `adam_step`; eps is added to v_hat, under the root.
    """
    ### BEGIN SOLUTION
    _, new = adam_step(p, g, state, lr, betas, eps)
    m_hat = new["m"] / (1 - betas[0] ** new["t"])
    v_hat = new["v"] / (1 - betas[1] ** new["t"])
    return p - lr * m_hat / (v_hat + eps).sqrt(), new
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_adam_step_slide", "points": 1}
check.adam_step_slide(adam_step_slide)

# %% [markdown]
# How large is the first step, as a function of the gradient? *(Figure: both curves are 1 for large
# gradients. Torch's bends down only below 1e-8, the slide's already below 1e-4, and there falls in
# proportion to the gradient, as SGD would.)*

# %% tags=["show"]
sizes = torch.logspace(-11, 0, 111, dtype=torch.float64)
still = torch.zeros_like(sizes)
fig, ax = style.figure("The first step, lr = 1", "size of the gradient", "step / lr")
for name, step, colour in (
    ("paper and torch: outside the root", adam_step, "blue"),
    ("slide: under the root", adam_step_slide, "red"),
):
    new, _ = step(still, sizes, {}, 1.0)
    ax.loglog(sizes, -new, color=style.COLOURS[colour], label=name)
ax.axvspan(1e-8, 1e-4, color="0.93", zorder=0)
ax.legend()
plt.show()

# %% [markdown]
# In the grey band the two are different optimisers. Section 5 will count how many gradients of a
# real model live there. (Under the root, $\epsilon^2$ would have done no harm.)

# %% [markdown]
# ## 4. Muon: steps for matrices
#
# SGD and Adam do not know that a weight is a matrix. Muon (Jordan et al., 2024; at scale: Liu et
# al., 2025) does. A gradient matrix $G=U\,\mathrm{diag}(\sigma)\,V^\top$ is usually dominated by a
# few large singular values; the step would change the layer in these directions only. Muon keeps
# the directions and sets all singular values to 1: $O = U V^\top$, the nearest orthogonal matrix.
#
# An SVD is slow on accelerators. A polynomial in matrix products is fast. An **odd** polynomial
# acts on the singular values alone,
#
# $$\varphi(X)=aX+b\,(XX^\top)X+c\,(XX^\top)^2X
#   = U\,\mathrm{diag}\big(a\sigma+b\sigma^3+c\sigma^5\big)\,V^\top ,$$
#
# so iterating a scalar function iterates it on all of them at once. First divide by the
# **Frobenius** norm, $X_0=G/\lVert G\rVert_F$: no singular value then exceeds 1. Muon takes
# $(a,b,c)=(3.4445,\,-4.7750,\,2.0315)$ and five rounds. One matrix by hand, with singular values
# .8 and .2:

# %% tags=["show"]
a, b, c = 3.4445, -4.7750, 2.0315
sigma = np.array([0.8, 0.2]) / np.hypot(0.8, 0.2)
print("round   singular values")
for k in range(6):
    print(f"{k:5d}   {sigma.round(4)}")
    sigma = a * sigma + b * sigma**3 + c * sigma**5

# %% tags=["show"]
predict(
    "After five rounds, the singular values of the result are ...",
    ["1, up to rounding", "somewhere between .68 and 1.13", "1 for square matrices only"],
    answer=1,
    why="The coefficients were chosen for speed at 0 (slope 3.4445), not for a fixed "
    "point at 1: a + b + c = .701, so 1 is mapped to .701. Nobody has found that it hurts.",
)

# %% [markdown]
# *(Figure: left, the polynomial against the diagonal: it leaves 0 steeply, overshoots 1, comes
# back to .7. Right, singular values after 1, 3 and 5 rounds, on a logarithmic axis: each round
# pushes smaller values up, until everything above .01 lies in the band.)*

# %% tags=["show"]
fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
x = np.linspace(0, 1.2, 200)
axes[0].plot(x, x, "--", color="0.6")
axes[0].plot(x, a * x + b * x**3 + c * x**5, color=style.COLOURS["blue"])
axes[0].set(title="One round", xlabel="singular value", ylabel="after the round")
start = np.logspace(-4, 0, 300)
value = start.copy()
for k in range(1, 6):
    value = a * value + b * value**3 + c * value**5
    if k in (1, 3, 5):
        colour = style.COLOURS[{1: "sky", 3: "green", 5: "red"}[k]]
        axes[1].semilogx(start, value, color=colour, label=f"{k} rounds")
axes[1].axhspan(0.68, 1.13, color="0.92", zorder=0)
axes[1].set(title="Five rounds", xlabel="singular value / Frobenius norm", ylabel="result")
axes[1].legend()
plt.show()

# %% [markdown]
# ### Exercise: `newton_schulz5` (3 points, 20 minutes, ★★)
#
# Orthogonalise with this iteration, without an SVD. Three things to mind:
#
# - Divide by the Frobenius norm, and keep a matrix of zeros finite (its result is 0): clamp the norm
#   from below at 1e-7.
# - $XX^\top$ is rows × rows. For a tall matrix transpose first and transpose back at the end: the
#   result is the same, and the products are smaller.
# - The parentheses: with $A=XX^\top$ a round is $X\leftarrow aX+(bA+cA^2)X$.
#
# Compute in the dtype of `G`, or in bfloat16 as torch's Muon does to save time: both are accepted
# here, with the tolerance of bfloat16.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "newton_schulz5"}
def newton_schulz5(G: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Muon's quintic Newton-Schulz iteration: keep U and V, move singular values near 1.

    Args:
        G: [rows, cols], floating point, tall, wide or square; not changed.
        steps: rounds of X = a X + b (X X^T) X + c (X X^T)^2 X with
            (a, b, c) = (3.4445, -4.7750, 2.0315), after division by the Frobenius norm,
            or by 1e-7 where the norm is smaller, 0 or not; with 0 rounds the normalised matrix is returned.

    Returns:
        [rows, cols], dtype of `G`: U diag(s) V^T for G = U diag(sigma) V^T, where s is
        the scalar polynomial, iterated `steps` times on sigma / ||G||_F.

    Raises:
        ValueError: G is not a matrix.

    Source: Jordan et al. (2024); torch.optim.Muon.
    """
    ### BEGIN SOLUTION
    if G.ndim != 2:
        raise ValueError("Muon orthogonalises matrices")
    a, b, c = 3.4445, -4.7750, 2.0315
    X = G.T if G.shape[0] > G.shape[1] else G
    X = X / X.norm().clamp(min=1e-7)
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X.T if G.shape[0] > G.shape[1] else X
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_newton_schulz5", "points": 3}
check.newton_schulz5(newton_schulz5)

# %% [markdown]
# ### From a direction to a step
#
# $O$ has unit singular values, so the root mean square of its $A\times B$ entries is
# $\sqrt{\min(A,B)/(AB)}=1/\sqrt{\max(A,B)}$: the larger the matrix, the smaller the entries. Adam's
# entries have a size of about .2 to .4, whatever the matrix. Moonlight (Liu et al., 2025, equation
# 7) therefore multiplies by $.2\sqrt{\max(A,B)}$, and Adam's learning rates can be kept. The whole
# step, with momentum and weight decay:
#
# $$B_t=\mu B_{t-1}+G_t,\quad M_t=\begin{cases}G_t+\mu B_t&\text{Nesterov}\\B_t&\text{else}
#   \end{cases},\quad
#   W_{t+1}=(1-\eta\lambda)W_t-\eta\cdot .2\sqrt{\max(A,B)}\;\mathrm{NS}_5(M_t).$$
#
# The decay is **decoupled**: it shrinks $W$ and never enters the gradient, where the
# orthogonalisation would swallow its size. Torch averages, $B_t=\mu B_{t-1}+(1-\mu)G_t$; since
# $\mathrm{NS}_5$ divides by the norm, sum and average give the same step.

# %% tags=["show"]
print("shape        RMS of NS5(G)   times .2 sqrt(max)")
for shape in ((16, 16), (64, 16), (64, 256)):
    G = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rms = newton_schulz5(G).square().mean().sqrt().item()
    print(f"{str(shape):12s} {rms:12.4f} {0.2 * math.sqrt(max(shape)) * rms:16.4f}")

# %% [markdown]
# ### Exercise: `muon_step` (2 points, 15 minutes, ★★★)
#
# One step of Muon for one matrix. `buf` is `None` before the first step, and later whatever your
# function returned: whether it sums or averages is your choice.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "muon_step"}
def muon_step(
    p: torch.Tensor,
    g: torch.Tensor,
    buf: torch.Tensor | None,
    lr: float,
    mu: float = 0.95,
    wd: float = 0.1,
    nesterov: bool = True,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One step of Muon with the scale that matches Adam's RMS.

    Args:
        p: weight matrix [A, B], floating point; not changed.
        g: its gradient, same shape and dtype; not changed.
        buf: None before the first step, later the second value of the previous call;
            not changed.
        lr: learning rate of this step, at least 0.
        mu: momentum, at least 0 and below 1.
        wd: decoupled weight decay: p is multiplied by 1 - lr * wd.
        nesterov: orthogonalise g + mu * buf (the new buf, a sum), else buf.

    Returns:
        (new p, new buf), tensors of p's shape and dtype. The step is
        lr * 0.2 * sqrt(max(A, B)) times the orthogonalised matrix, five rounds.

    Source: Liu et al. (2025), equation 7; torch.optim.Muon with
    adjust_lr_fn="match_rms_adamw".
    """
    ### BEGIN SOLUTION
    buf = g.clone() if buf is None else mu * buf + g
    update = newton_schulz5(g + mu * buf if nesterov else buf)
    return (1 - lr * wd) * p - lr * 0.2 * math.sqrt(max(p.shape)) * update, buf
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_muon_step", "points": 2}
check.muon_step(muon_step)

# %% [markdown]
# ## 5. A race
#
# A small Llama (two layers, 98 752 parameters) reads *Alice's Adventures in Wonderland* letter by
# letter, from random weights, for 80 steps. First the promised count: how large are its gradients?
# *(Figure: a histogram of the sizes of all entries on a logarithmic axis; a good part lies left of
# 1e-4, inside the grey band.)*

# %% tags=["train"]
from sft2rl.textdata import DATA
from transformers import LlamaConfig, LlamaForCausalLM

text = {
    part: (DATA.parent / f"tokenizer_alice_{part}.txt").read_text("utf-8")
    for part in ("train", "test")
}
letters = sorted(set(text["train"] + text["test"]))
codes = {
    part: torch.tensor([letters.index(letter) for letter in content])
    for part, content in text.items()
}


def new_model() -> LlamaForCausalLM:
    """The same random weights every time."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(letters), hidden_size=64, intermediate_size=160,
        num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=64,
        tie_word_embeddings=True, pad_token_id=None, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def excerpts(part: str, count: int, seed: int, length: int = 48) -> torch.Tensor:
    """[count, length] random windows of the text."""
    luck = torch.Generator().manual_seed(seed)
    starts = torch.randint(len(codes[part]) - length, (count,), generator=luck)
    return torch.stack([codes[part][s : s + length] for s in starts])


def gradients(model: LlamaForCausalLM, batch: torch.Tensor) -> tuple[float, dict]:
    """The loss and the gradient of every parameter."""
    loss = model(batch, labels=batch).loss
    params = dict(model.named_parameters())
    found = torch.autograd.grad(loss, list(params.values()))
    return loss.item(), dict(zip(params, found, strict=True))


model = new_model()
loss, grads = gradients(model, excerpts("train", 16, 0))
sizes = torch.cat([g.flatten() for g in grads.values()]).abs()
print(f"{sizes.numel()} parameters, loss {loss:.3f} (uniform guess: {math.log(len(letters)):.3f})")
print(f"gradients below 1e-4: {(sizes < 1e-4).float().mean():.0%}")
fig, ax = style.figure("Gradients of the first batch", "size", "entries")
ax.hist(sizes.numpy(), bins=np.logspace(-9, 0, 73), color=style.COLOURS["blue"])
ax.axvspan(1e-8, 1e-4, color="0.5", alpha=0.25)
ax.set_xscale("log")
plt.show()

# %% tags=["show"]
predict(
    "SGD, momentum, Adam and Muon, each with the best of three learning rates, 80 steps "
    "from scratch. Who ends with the lowest loss on unseen text?",
    ["SGD with momentum", "Adam", "Muon", "no difference in so few steps"],
    answer=2,
    why="Here Muon is well ahead, then Adam; SGD learns how frequent each letter is and "
    "gets stuck there. One small model, one seed: an impression, not a law.",
)

# %% [markdown]
# Muon is for the matrices inside the blocks only. The embedding is a table of vectors, not a map,
# and norms are vectors: they get Adam. *(Figure: training loss against steps. Both SGD curves fall
# to 3.1 and stay; Adam stays there for a while and then leaves; Muon passes without stopping.)*


# %% tags=["train"]
def race(rule, steps: int = 80) -> tuple[list[float], float]:
    """Training curve and final loss on the test text of rule(name, p, g, state)."""
    model, states, curve = new_model(), {}, []
    params = dict(model.named_parameters())
    for step in range(steps):
        loss, grads = gradients(model, excerpts("train", 16, step))
        curve.append(loss)
        with torch.no_grad():
            for name, p in params.items():
                new, states[name] = rule(name, p.detach(), grads[name], states.get(name))
                p.copy_(new)
    with torch.no_grad():
        unseen = excerpts("test", 64, 99)
        return curve, model(unseen, labels=unseen).loss.item()


def rules(kind: str, lr: float):
    """The update rule of one optimiser, made of your functions."""
    if kind == "SGD":
        return lambda name, p, g, s: sgd_step(p, g, s or {}, lr)
    if kind == "momentum .9":
        return lambda name, p, g, s: sgd_step(p, g, s or {}, lr, 0.9)
    if kind == "Adam":
        return lambda name, p, g, s: adam_step(p, g, s or {}, lr)
    if kind == "the slide's Adam":
        return lambda name, p, g, s: adam_step_slide(p, g, s or {}, lr)

    def muon(name, p, g, s):
        if p.ndim == 2 and "embed" not in name:
            return muon_step(p, g, s, lr, wd=0.0)
        return adam_step(p, g, s or {}, 3e-3)

    return muon


grid = {
    "SGD": (0.03, 0.1, 0.3),
    "momentum .9": (0.03, 0.1, 0.3),
    "Adam": (1e-3, 3e-3, 1e-2),
    "the slide's Adam": (3e-3,),
    "Muon": (1e-2, 3e-2, 1e-1),
}
results = {}
for kind, rates in grid.items():
    for lr in rates:
        results[kind, lr] = race(rules(kind, lr))
best = {kind: min(rates, key=lambda lr: results[kind, lr][1]) for kind, rates in grid.items()}
print("loss on unseen text (nats per letter) by learning rate; * marks the best")
for kind, rates in grid.items():
    cells = [f"{lr:g}: {results[kind, lr][1]:.3f}{'*' * (lr == best[kind])}" for lr in rates]
    print(f"{kind:17s} " + "   ".join(f"{cell:14s}" for cell in cells))
fig, ax = style.figure("Alice, letter by letter", "step", "training loss (nats per letter)")
palette = ("black", "sky", "blue", "red", "green")
for (kind, lr), colour in zip(best.items(), palette, strict=True):
    ax.plot(results[kind, lr][0], color=style.COLOURS[colour], label=f"{kind}, lr {lr:g}")
ax.legend(fontsize=8)
plt.show()

# %% [markdown]
# A fair race gives everyone the same chance to tune; three rates each is the least. Read the table
# once more: the same optimiser at two rates can differ as much as two optimisers. And the slide's
# Adam is not a catastrophe; it is a *different* optimiser, one that treats the many small gradients
# as SGD would.

# %% [markdown]
# ## 6. Play with it
#
# Which rate makes momentum diverge? Where does Adam go when its rate is large? *(Widget: the valley
# of section 1 with one path; menu for the optimiser, sliders for learning rate, momentum and number
# of steps; the title shows the final distance.)*

# %% tags=["show"]
from sft2rl.widgets_optimizers import playground

playground(
    {
        "SGD": lambda lr, mu: lambda p, g, s: sgd_step(p, g, s, lr),
        "momentum": lambda lr, mu: lambda p, g, s: sgd_step(p, g, s, lr, mu),
        "Adam": lambda lr, mu: lambda p, g, s: adam_step(p, g, s, lr, (mu, 0.999)),
    }
)

# %% [markdown]
# ### Question: where does epsilon live? (4 points)
#
# In at most 200 words:
#
# 1. For the first step and a gradient $g>0$, give both step sizes (outside and under the root) as
#    functions of $g/\epsilon$ and $g/\sqrt\epsilon$. From which $g$ on do they agree to one per
#    cent, for $\epsilon=10^{-8}$?
# 2. Below that, the slide's Adam becomes another optimiser. Which one, and with which effective
#    learning rate?
# 3. A colleague trains in float16 and sets $\epsilon=10^{-12}$ outside the root, with `v` kept in
#    float16 (smallest positive number $6\cdot10^{-8}$). What happens to a gradient of $10^{-4}$?
# 4. Why can Muon do without such an $\epsilon$ per entry, and what is its 1e-7 for?

# %% [markdown] nbgrader={"schema_version": 3, "solution": true, "grade": true, "locked": false, "task": false, "grade_id": "written_epsilon", "points": 4}
# **Model answer.** (1) At $t=1$: $\hat m=g$, $\hat v=g^2$. Outside: $\eta\,g/(g+\epsilon)=
# \eta/(1+\epsilon/g)$. Under: $\eta\,g/\sqrt{g^2+\epsilon}=\eta/\sqrt{1+\epsilon/g^2}$. The second
# is within one per cent of $\eta$ when $\epsilon/g^2\le.02$, so $g\ge7\cdot10^{-4}$ (about
# $7\sqrt\epsilon$); the first is there already from $g=10^{-6}$ on.
#
# (2) For $g\ll\sqrt\epsilon$ the step is $\eta g/\sqrt\epsilon$: gradient descent (with averaged
# gradients, that is momentum) with the learning rate $\eta/\sqrt\epsilon=10^4\eta$. Scale
# invariance is lost.
#
# (3) $g^2=10^{-8}$ and $(1-\beta_2)g^2=10^{-11}$ are below the smallest float16 number and become
# 0. $v$ stays 0 while $m$ does not, so the step is $\eta\hat m/\epsilon$, $10^8$ times $\eta$:
# it explodes. (`v` must be kept in float32; $\epsilon$ bounds the damage.)
#
# (4) Muon divides by one number for the whole matrix, its norm, not entry by entry; a small entry
# beside large ones is no problem. 1e-7 only keeps the zero matrix (norm 0) from becoming nan; for
# others it does nothing.
#
# **Rubric.** 1 point: both formulas and a threshold of the right size (some $10^{-4}$ to
# $10^{-3}$). 1 point: gradient descent/SGD with rate $\eta/\sqrt\epsilon$. 1 point: $v$ underflows
# to 0 and the step explodes. 1 point: one norm per matrix, and 1e-7 for a zero gradient.

# %% [markdown]
# ## Where the slides need care
#
# - **Adam's epsilon** belongs outside the root: $\hat m/(\sqrt{\hat v}+\epsilon)$, in the paper, in
#   torch, and with the default 1e-8 that everybody copies. Under the root the same number acts as
#   1e-4.
# - **Momentum.** The slide's $v_t=\mu v_{t-1}+g_t$ is torch's. Other texts average, or put the
#   learning rate inside; the same `lr` then means something else.
# - **$t$ starts at 1.** The slide does not say so. With $t=0$ the first correction divides by 0.
# - **Muon** is a link on the slide. Which scale it uses must be said: $.2\sqrt{\max(A,B)}$
#   (Moonlight, here) or $\sqrt{\max(1,A/B)}$ (the original, torch's default); the learning rates
#   differ by a factor of several.
# - Weight decay is not on the slides. In AdamW and Muon it is decoupled; added to Adam's gradient it
#   would be divided by $\sqrt{\hat v}$ like everything else.
#
# ## What you have learnt
#
# - Momentum sums gradients; the steady step is $1/(1-\mu)$ times as large.
# - Adam's first step is the learning rate times a sign. The hats matter most at the start, and their
#   absence makes the step too large, not too small.
# - Two constants that look alike, $\epsilon$ outside and under the root, differ by four orders of
#   magnitude in what they do.
# - An odd polynomial of a matrix is a polynomial of its singular values; five rounds bring them
#   near 1, and near is enough.
#
# ## Further reading
#
# - I. Sutskever, J. Martens, G. Dahl, G. Hinton, *On the importance of initialization and momentum
#   in deep learning*, 2013.
# - D. Kingma, J. Ba, *Adam: a method for stochastic optimization*, 2015, arXiv 1412.6980,
#   algorithm 1.
# - I. Loshchilov, F. Hutter, *Decoupled weight decay regularization*, 2019, arXiv 1711.05101: AdamW.
# - K. Jordan et al., *Muon: an optimizer for hidden layers in neural networks*, 2024 (blog).
# - J. Liu et al., *Muon is scalable for LLM training*, 2025, arXiv 2502.16982, equation 7:
#   Moonlight.
#
# **Next:** 08 · Supervised fine-tuning.
