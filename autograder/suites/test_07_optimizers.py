"""Hidden suite of 07_optimizers.

Strategy: single steps from a given state are compared with the formula, so that a mistake can be
named; runs of many steps, with learning rates that change, with `torch.optim`. The Newton-Schulz
iteration is compared with the scalar polynomial on known singular values, and Muon with the same
construction, by relative Frobenius error: computing in bfloat16 is allowed.
"""

import math

import torch

from autograder.suite import Draw, Student, exercise, expect

DEPENDS = {"adam_step_slide": ["adam_step"], "muon_step": ["newton_schulz5"]}
FORBIDDEN = {
    "sgd_step": ["torch.optim"],
    "adam_step": ["torch.optim"],
    "adam_step_slide": ["torch.optim"],
    "newton_schulz5": ["torch.optim", "torch.linalg.svd", "torch.svd"],
    "muon_step": ["torch.optim", "torch.linalg.svd", "torch.svd"],
}

DOUBLE = torch.float64
PAIR = "Return the tuple (new parameter, new state)."


def step(student: Student, name: str, *args, **kwargs):
    """The student's (parameter, state)."""
    got = getattr(student, name)(*args, **kwargs)
    expect(got).true(isinstance(got, tuple) and len(got) == 2, PAIR)
    return got


def keys(state, names: set[str]):
    """Fail unless the state is a dictionary with these keys."""
    expect(state).true(
        isinstance(state, dict) and set(state) == names,
        "The new state is a dictionary with the keys of the docstring, no more and no less.",
    )
    return state


def library_run(optimizer_class, p, gradients, rates, **options) -> list[torch.Tensor]:
    """Parameter after each step of a torch optimiser."""
    leaf = torch.nn.Parameter(p.clone())
    optimizer = optimizer_class([leaf], lr=1.0, **options)
    path = []
    for g, lr in zip(gradients, rates, strict=True):
        optimizer.param_groups[0]["lr"] = lr
        leaf.grad = g.clone()
        optimizer.step()
        path.append(leaf.detach().clone())
    return path


def student_runs(student: Student, name: str, p, gradients, rates, options) -> list[list]:
    """Parameters after each step of the student's: one path per options, stepped in turns."""
    paths, states = [[p] for _ in options], [{} for _ in options]
    for g, lr in zip(gradients, rates, strict=True):
        for i, each in enumerate(options):
            new, states[i] = step(student, name, paths[i][-1], g, states[i], lr, **each)
            expect(new).tensor(g.shape, g.dtype, "The new parameter has shape and dtype of p.")
            paths[i].append(new)
    return [path[1:] for path in paths]


# sgd_step


@exercise("sgd_step", weight=2)
def test_one_step_from_a_given_velocity(student: Student, draw: Draw):
    """A parameter with a velocity: the new parameter."""
    p, g, v = draw.normal(3, 4), draw.normal(3, 4), draw.normal(3, 4)
    lr, mu = float(draw.uniform(0.05, 0.3)), float(draw.uniform(0.6, 0.95))
    new = mu * v + g
    got, state = step(student, "sgd_step", p, g, {"v": v}, lr, mu)
    expect(got).close(
        p - lr * new,
        "v = momentum * v + g, then p = p - lr * v.",
        mistakes={
            "You averaged: v is a sum, momentum * v + g.": p - lr * (mu * v + (1 - mu) * g),
            "You took Nesterov's step.": p - lr * (g + mu * new),
            "You put the learning rate into v: it is applied to all of v, when the step is taken.":
                p - mu * v - lr * g,
            "You let v be a sum of steps: it is a sum of gradients.": p + mu * v - lr * g,
            "You put the learning rate into v, and once more into the step.":
                p - lr * (mu * v + lr * g),
            "You used the old v.": p - lr * v,
            "You left the momentum out.": p - lr * g,
            "You went uphill.": p + lr * new,
            "You subtracted momentum * v.": p - lr * (g - mu * v),
        },
    )  # fmt: skip
    expect(keys(state, {"v"})["v"]).close(
        new,
        "The new state holds v = momentum * v + g.",
        mistakes={
            "You kept the step instead of v.": lr * new,
            "You kept the gradient instead of v.": g,
            "You averaged: v is a sum, momentum * v + g.": mu * v + (1 - mu) * g,
        },
    )


@exercise("sgd_step")
def test_the_first_step_starts_from_rest(student: Student, draw: Draw):
    """An empty state: with momentum, and without; then the default momentum."""
    p, g, lr = draw.normal(5), draw.normal(5), float(draw.uniform(0.05, 0.3))
    for extra in ((0.8,), (0.0,), ()):
        got, state = step(student, "sgd_step", p, g, {}, lr, *extra)
        message = (
            "With the empty state v = g, so the first step is that of plain descent; the default "
            "momentum is 0."
        )
        expect(got).close(p - lr * g, message)
        expect(keys(state, {"v"})["v"]).close(g, "v is kept, also when momentum is 0.")
    got, state = step(student, "sgd_step", p, g, {"v": draw.normal(5)}, lr)
    message = "The default momentum is 0: an old v then plays no role, and the new one is g."
    expect(got).close(p - lr * g, message)
    expect(keys(state, {"v"})["v"]).close(g, message)


@exercise("sgd_step", weight=2)
def test_many_steps_with_changing_rates(student: Student, draw: Draw):
    """Ten steps of two parameters in turns, against torch.optim.SGD; the learning rate changes."""
    p, gradients = draw.normal(2, 3), [draw.normal(2, 3) for _ in range(10)]
    rates = [0.3 / (1 + k) + float(draw.uniform(0, 0.05)) for k in range(10)]
    rates[4] = 1.5
    options = [{"momentum": 0.0}, {"momentum": 0.99}]
    got = student_runs(student, "sgd_step", p, gradients, rates, options)
    for each, path in zip(options, got, strict=True):
        expect(path).close(
            library_run(torch.optim.SGD, p, gradients, rates, **each),
            "Ten steps must agree with torch.optim.SGD, also when the learning rate changes: v is "
            "a sum of gradients, not of steps. What a step remembers is in the state it is given: "
            "two parameters that take turns share nothing.",
        )


@exercise("sgd_step")
def test_every_shape_and_dtype_of_sgd(student: Student, draw: Draw):
    """A single number, a tensor with three dimensions, float32, and very large gradients."""
    for shape, dtype, size in (
        ((), DOUBLE, 1.0), ((2, 3, 4), DOUBLE, 1e9), ((4, 1), torch.float32, 1.0),
    ):  # fmt: skip
        p, g, v = (size * draw.normal(*shape, dtype=dtype) for _ in range(3))
        got, state = step(student, "sgd_step", p, g, {"v": v}, 0.25, 0.5)
        message = "Shape and dtype stay, and gradients are not clipped."
        expect(got).close(p - 0.25 * (0.5 * v + g), message)
        expect(keys(state, {"v"})["v"]).close(0.5 * v + g, message)


@exercise("sgd_step")
def test_a_learning_rate_of_zero(student: Student, draw: Draw):
    """A rate of 0, as at the start of a warm-up."""
    p, g, v = draw.normal(3), draw.normal(3), draw.normal(3)
    got, state = step(student, "sgd_step", p, g, {"v": v}, 0.0, 0.9)
    message = "A learning rate of 0 is a number like others: p stays, and v is kept up to date."
    expect(got).close(p, message)
    expect(keys(state, {"v"})["v"]).close(0.9 * v + g, message)


# adam_step and adam_step_slide


def adam_case(draw: Draw, t: int):
    """Parameter, gradient and state of Adam; the sizes of the gradients differ widely."""
    size = torch.tensor([1e-3, 1e-2, 1.0, 30.0], dtype=DOUBLE)
    p, g = draw.normal(3, 4), draw.normal(3, 4) * size
    m, v = 0.3 * draw.normal(3, 4) * size, draw.uniform(0.2, 1.5, 3, 4) * size**2
    return p, g, {"m": m, "v": v, "t": t}


def adam_state(g, state: dict, betas):
    """m, v and t after the step."""
    m = betas[0] * state["m"] + (1 - betas[0]) * g
    v = betas[1] * state["v"] + (1 - betas[1]) * g * g
    return m, v, state["t"] + 1


def outside(m_hat, v_hat, eps):
    """Paper and torch."""
    return m_hat / (v_hat**0.5 + eps)


def inside(m_hat, v_hat, eps):
    """The slide."""
    return m_hat / (v_hat + eps) ** 0.5


def one_adam_step(student: Student, draw: Draw, name: str, rule, other, message: str, swapped: str):
    """A step from a given state, with every mistake that has a value."""
    betas = (float(draw.uniform(0.7, 0.9)), float(draw.uniform(0.95, 0.99)))
    lr, eps, t = float(draw.uniform(0.05, 0.2)), float(draw.uniform(0.01, 0.03)), draw.integer(2, 6)
    p, g, state = adam_case(draw, t)
    m, v, after = adam_state(g, state, betas)
    m_hat, v_hat = m / (1 - betas[0] ** after), v / (1 - betas[1] ** after)
    early_m, early_v = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
    late = (m / (1 - betas[0] ** (t + 2)), v / (1 - betas[1] ** (t + 2)))
    squared_m = betas[1] * state["v"] + (1 - betas[1]) * m * m
    crossed = adam_state(g, state, betas[::-1])
    got, _ = step(student, name, p, g, state, lr, betas, eps)
    expect(got).close(
        p - lr * rule(m_hat, v_hat, eps),
        message,
        mistakes={
            swapped: p - lr * other(m_hat, v_hat, eps),
            "You forgot the bias correction: divide m by 1 - beta1^t and v by 1 - beta2^t.":
                p - lr * rule(m, v, eps),
            "You corrected m only.": p - lr * rule(m_hat, v, eps),
            "You corrected v only.": p - lr * rule(m, v_hat, eps),
            "Your t is one too small: it is 1 in the first step, one more than in the old state.":
                p - lr * rule(early_m, early_v, eps),
            "Your t is one too large: it is 1 in the first step.": p - lr * rule(*late, eps),
            "You squared m: v averages the squares of g.":
                p - lr * rule(m_hat, squared_m / (1 - betas[1] ** after), eps),
            "You exchanged the two betas.":
                p - lr * rule(crossed[0] / (1 - betas[1] ** after),
                              crossed[1] / (1 - betas[0] ** after), eps),
            "You forgot the square root.": p - lr * m_hat / (v_hat + eps),
            "You used the gradient instead of its average.": p - lr * rule(g, v_hat, eps),
            "You went uphill.": p + lr * rule(m_hat, v_hat, eps),
            "You left epsilon out.": p - lr * rule(m_hat, v_hat, 0.0),
            "You added epsilon before correcting the bias: it is added to the corrected root.":
                p - lr * m_hat / (v**0.5 + eps) * (1 - betas[1] ** after) ** 0.5,
            "You used Nesterov's look-ahead.":
                p - lr * rule(betas[0] * m_hat + (1 - betas[0]) * g / (1 - betas[0] ** after),
                              v_hat, eps),
        },
    )  # fmt: skip


def kept_state(student: Student, draw: Draw, name: str):
    """The state after a step from a given state, and after a first step."""
    betas, t = (0.8, 0.95), draw.integer(2, 9)
    p, g, state = adam_case(draw, t)
    empty = {"m": torch.zeros_like(p), "v": torch.zeros_like(p), "t": 0}
    for old, given in ((state, state), (empty, {})):
        m, v, after = adam_state(g, old, betas)
        _, new = step(student, name, p, g, given, 0.1, betas, 1e-8)
        keys(new, {"m", "v", "t"})
        expect(new["t"]).true(
            isinstance(new["t"], int) and new["t"] == after,
            "t is a Python int that counts the steps done, from 1.",
        )
        expect(new["m"]).close(
            m,
            "The state keeps m as it is before bias correction, (1 - beta1) g in the first step.",
            mistakes={
                "You kept the corrected average: correct for the step, keep the plain one.":
                    m / (1 - betas[0] ** after),
                "You started m at g instead of 0.": g,
            },
        )  # fmt: skip
        expect(new["v"]).close(
            v,
            "The state keeps v as it is before bias correction, the average of squared gradients.",
            mistakes={
                "You kept the corrected average: correct for the step, keep the plain one.":
                    v / (1 - betas[1] ** after),
                "You squared m: v averages the squares of g.":
                    betas[1] * old["v"] + (1 - betas[1]) * m * m,
                "You averaged absolute values: v averages squares.":
                    betas[1] * old["v"] + (1 - betas[1]) * g.abs(),
            },
        )  # fmt: skip


def late_steps(student: Student, draw: Draw, name: str, rule):
    """A state from far on in the training, where one hat is still needed."""
    for t in (40, 700, 100_000):
        p, g, state = adam_case(draw, t)
        g = g * draw.choice([-1, 1]) * (60.0 if t > 500 else 1.0)  # a step larger than lr
        m, v, after = adam_state(g, state, (0.9, 0.999))
        m_hat, v_hat = m / (1 - 0.9**after), v / (1 - 0.999**after)
        got, _ = step(student, name, p, g, state, 0.1)
        expect(got - p).close(
            -0.1 * rule(m_hat, v_hat, 1e-8),
            "The bias correction is used in every step, with the t of that step; beta2^t is small "
            "only after thousands of steps. Steps are not clipped. The defaults are betas "
            "(.9, .999) and eps 1e-8.",
            rtol=1e-7,
        )


def zeros_among_the_numbers(student: Student, draw: Draw, name: str, rule):
    """A beta of 0, the first above the second, a learning rate of 0, an eps below the default."""
    p, g, state = adam_case(draw, 3)
    for betas, taken in (((0.0, 0.95), (0.9, 0.95)), ((0.8, 0.0), (0.8, 0.999))):
        values = []
        for each in (betas, taken):
            m, v, t = adam_state(g, state, each)
            values.append(p - 0.1 * rule(m / (1 - each[0] ** t), v / (1 - each[1] ** t), 1e-8))
        got, _ = step(student, name, p, g, state, 0.1, betas)
        expect(got).close(
            values[0],
            "A beta may be 0: nothing is remembered then, m = g or v = g^2. The second need not "
            "be the larger one.",
            mistakes={"You took the default in place of a 0.": values[1]},
        )
    got, new = step(student, name, p, g, state, 0.0)
    m, v, t = adam_state(g, state, (0.9, 0.999))
    message = "A learning rate of 0 is a number like others: p stays, and the state moves on."
    expect(got).close(p, message)
    expect(keys(new, {"m", "v", "t"})["m"]).close(m, message)
    tiny = 1e-8 * g
    got, _ = step(student, name, torch.zeros_like(p), tiny, {}, 0.1, (0.9, 0.999), 1e-14)
    expect(got).close(
        -0.1 * rule(tiny, tiny * tiny, 1e-14), "eps may be smaller than its default.", rtol=1e-7
    )


def zero_gradients(student: Student, draw: Draw, name: str, rule):
    """A state from earlier steps, then a gradient with zeros in some entries, and in all."""
    p, g, state = adam_case(draw, 4)
    some = g * torch.tensor([0.0, 1.0, 1.0, 0.0], dtype=DOUBLE)
    for each in (some, torch.zeros_like(g)):
        m, v, t = adam_state(each, state, (0.9, 0.999))
        message = (
            "A gradient of 0 is a gradient: m and v decay, t counts the step, and p moves on with "
            "m. Only where all gradients have been 0 it stays."
        )
        got, new = step(student, name, p, each, state, 0.1)
        expect(got).close(p - 0.1 * rule(m / (1 - 0.9**t), v / (1 - 0.999**t), 1e-8), message)
        expect(keys(new, {"m", "v", "t"})).close({"m": m, "v": v, "t": t}, message)


def untouched(student: Student, draw: Draw, name: str):
    """Entries that never had a gradient, beside one that has."""
    p, g = draw.normal(4), torch.tensor([0.0, 1.0, 0.0, -2.0], dtype=DOUBLE)
    state = {}
    for _ in range(2):
        new, state = step(student, name, p, g, state, 0.1)

        expect(new).tensor((4,), DOUBLE, "The new parameter has shape and dtype of p.")
        expect(new[[0, 2]]).close(
            p[[0, 2]], "Where all gradients have been 0 the parameter stays: 0 / 0 must not arise."
        )
        p = new


def shapes_of_adam(student: Student, draw: Draw, name: str, rule):
    """A single number, three dimensions, float32; gradients from 1e-12 to 1e12."""
    for shape, dtype, size in (
        ((), DOUBLE, 1.0), ((2, 3, 2), DOUBLE, 1e12), ((3, 1), DOUBLE, 1e-12),
        ((5,), torch.float32, 1.0),
    ):  # fmt: skip
        p, g = draw.normal(*shape, dtype=dtype), size * (draw.normal(*shape, dtype=dtype).abs() + 1)
        got, state = step(student, name, torch.zeros_like(p), g, {}, 0.5)
        keys(state, {"m", "v", "t"})
        for key, want in (("m", 0.1 * g), ("v", 0.001 * g * g)):
            expect(state[key]).close(
                want,
                "After a first step with the default betas m = .1 g and v = .001 g^2: gradients "
                "are not clipped, and shape and dtype stay.",
            )
        expect(got).close(
            -0.5 * rule(g, g * g, 1e-8),
            "The first step is lr times g / (|g| + eps), or its variant: shape and dtype stay, and "
            "no gradient is too large or too small.",
            rtol=1e-5 if dtype == torch.float32 else 1e-9,
        )


@exercise("adam_step", weight=3)
def test_one_step_from_a_given_state(student: Student, draw: Draw):
    """A step from a given m, v and t, with gradients of very different sizes."""
    one_adam_step(
        student, draw, "adam_step", outside, inside,
        "p = p - lr * m_hat / (sqrt(v_hat) + eps), with both averages corrected.",
        "You put epsilon under the root, as the slide does: it is added to the root.",
    )  # fmt: skip


@exercise("adam_step")
def test_the_state_after_a_step(student: Student, draw: Draw):
    """m, v and t after a step from a given state, and after the first step."""
    kept_state(student, draw, "adam_step")


@exercise("adam_step", weight=2)
def test_many_steps_agree_with_the_library(student: Student, draw: Draw):
    """Nine steps of two parameters in turns, with changing rates, against torch.optim.Adam."""
    p = draw.normal(2, 3)
    gradients = [draw.normal(2, 3) * 10.0 ** draw.integer(-7, 1) for _ in range(9)]
    rates = [float(draw.uniform(0.01, 0.2)) for _ in range(9)]
    betas = (float(draw.uniform(0.8, 0.95)), float(draw.uniform(0.95, 0.999)))
    options = [{"betas": each, "eps": 1e-6} for each in (betas, (0.6, 0.9))]
    got = student_runs(student, "adam_step", p, gradients, rates, options)
    for each, path in zip(options, got, strict=True):
        expect(path).close(
            library_run(torch.optim.Adam, p, gradients, rates, **each),
            "Nine steps must agree with torch.optim.Adam, rate by rate. What a step remembers is "
            "in the state it is given: two parameters that take turns share nothing.",
        )


@exercise("adam_step", weight=2)
def test_the_first_step_for_tiny_gradients(student: Student, draw: Draw):
    """First steps for gradients from 1e-9 to 1, with the default eps."""
    size = torch.tensor([1e-9, 1e-8, 1e-6, 1e-4, 1.0], dtype=DOUBLE)
    g = size * draw.uniform(0.8, 1.2, 5)
    got, _ = step(student, "adam_step", torch.zeros(5, dtype=DOUBLE), g, {}, 2.0)
    expect(got).close(
        -2.0 * g / (g + 1e-8),
        "In the first step m_hat = g and sqrt(v_hat) = |g|: the step is lr g / (|g| + eps).",
        mistakes={
            "You put epsilon under the root, as the slide does: it is added to the root.":
                -2.0 * g / (g * g + 1e-8) ** 0.5,
            "You forgot the bias correction.": -2.0 * 0.1 * g / (0.001**0.5 * g + 1e-8),
            "You left epsilon out.": -2.0 * torch.ones(5, dtype=DOUBLE),
        },
    )  # fmt: skip


@exercise("adam_step")
def test_entries_without_gradient_stay(student: Student, draw: Draw):
    """Entries that never had a gradient, two steps."""
    untouched(student, draw, "adam_step")


@exercise("adam_step")
def test_a_gradient_of_zero_is_a_gradient(student: Student, draw: Draw):
    """Gradients that are 0 after others that were not: the averages decay."""
    zero_gradients(student, draw, "adam_step", outside)


@exercise("adam_step")
def test_zeros_among_the_hyperparameters(student: Student, draw: Draw):
    """A beta of 0, a learning rate of 0, and an eps below the default."""
    zeros_among_the_numbers(student, draw, "adam_step", outside)


@exercise("adam_step")
def test_far_on_in_the_training(student: Student, draw: Draw):
    """A state after 40, 700 and 100000 steps, with the defaults."""
    late_steps(student, draw, "adam_step", outside)


@exercise("adam_step")
def test_every_shape_dtype_and_size(student: Student, draw: Draw):
    """First steps for a number, a tensor, float32, and gradients from 1e-12 to 1e12."""
    shapes_of_adam(student, draw, "adam_step", outside)


@exercise("adam_step_slide", weight=3)
def test_epsilon_stands_under_the_root(student: Student, draw: Draw):
    """A step from a given m, v and t, with gradients of very different sizes."""
    one_adam_step(
        student, draw, "adam_step_slide", inside, outside,
        "p = p - lr * m_hat / sqrt(v_hat + eps), with both averages corrected.",
        "You put epsilon outside the root, as torch does: here it is added to v_hat.",
    )  # fmt: skip


@exercise("adam_step_slide")
def test_the_state_is_that_of_adam(student: Student, draw: Draw):
    """m, v and t after a step from a given state, and after the first step."""
    kept_state(student, draw, "adam_step_slide")


@exercise("adam_step_slide")
def test_zeros_are_numbers(student: Student, draw: Draw):
    """A beta of 0, a learning rate of 0, a small eps, and gradients that are 0 after others."""
    zeros_among_the_numbers(student, draw, "adam_step_slide", inside)
    zero_gradients(student, draw, "adam_step_slide", inside)


@exercise("adam_step_slide")
def test_tiny_gradients_take_tiny_steps(student: Student, draw: Draw):
    """First steps for gradients from 1e-12 to 1e12, all shapes, with the default eps."""
    shapes_of_adam(student, draw, "adam_step_slide", inside)
    late_steps(student, draw, "adam_step_slide", inside)
    untouched(student, draw, "adam_step_slide")


# newton_schulz5

QUINTIC = (3.4445, -4.7750, 2.0315)
# Relative Frobenius error that computing in bfloat16 may cost: at most .07 was measured for these
# singular values, and .12 for sums of such matrices. The mistakes below are .25 away or more.
SIGMA = torch.tensor([2.0, 0.6, 0.58, 0.55], dtype=DOUBLE)
BF16, BF16_SUMS = 0.12, 0.18


def frame(draw: Draw, rows: int, cols: int):
    """Orthonormal columns [rows, cols]."""
    return torch.linalg.qr(draw.normal(rows, cols))[0]


def matrix(draw: Draw, rows: int, cols: int, sigma):
    """(G, U, V) with G = U diag(sigma) V^T."""
    sigma = torch.as_tensor(sigma, dtype=DOUBLE)
    U, V = frame(draw, rows, len(sigma)), frame(draw, cols, len(sigma))
    return U @ torch.diag(sigma) @ V.T, U, V


def iterate(sigma: torch.Tensor, rounds: int, coefficients=QUINTIC) -> torch.Tensor:
    """The scalar polynomial, `rounds` times."""
    a, b, c = coefficients
    for _ in range(rounds):
        sigma = a * sigma + b * sigma**3 + c * sigma**5
    return sigma


def orthogonalised(G: torch.Tensor, rounds: int = 5) -> torch.Tensor:
    """The iteration through an SVD in float64."""
    U, sigma, Vh = torch.linalg.svd(G.double(), full_matrices=False)
    return U @ torch.diag(iterate(sigma / sigma.norm().clamp(min=1e-7), rounds)) @ Vh


def near(got, want: torch.Tensor, message: str, mistakes=None, dtype=DOUBLE, bound=BF16):
    """Relative Frobenius error below the bound, after shape and dtype."""
    value = (
        expect(got)
        .tensor(want.shape, dtype, "The result has shape and dtype of the argument.")
        .double()
    )
    expect(value).true(bool(value.isfinite().all()), f"A value is not finite. {message}")
    if float((value - want).norm()) > bound * float(want.norm()):
        for sentence, other in (mistakes or {}).items():
            same = float((value - other).norm()) <= 0.02 * float(other.norm())
            expect(value).true(not same, f"{sentence} {message}")
        expect(value).true(False, message)


@exercise("newton_schulz5", weight=3)
def test_singular_values_go_through_the_polynomial(student: Student, draw: Draw):
    """A wide, a tall and a square matrix with known singular values."""
    for rows, cols in ((4, 9), (8, 4), (4, 4)):
        sigma = SIGMA
        G, U, V = matrix(draw, rows, cols, sigma)
        x = sigma / sigma.norm()

        def build(values, U=U, V=V):
            return U @ torch.diag(values) @ V.T

        near(
            student.newton_schulz5(G),
            build(iterate(x, 5)),
            "Divide by the Frobenius norm, then five rounds of X = a X + (b A + c A A) X with "
            "A = X X^T: U and V stay, the singular values go through the polynomial.",
            {
                "You divided by the spectral norm: it is the Frobenius norm.":
                    build(iterate(sigma / sigma.max(), 5)),
                "You brought all singular values to 1, exactly or with coefficients that converge: "
                "use (3.4445, -4.7750, 2.0315).": build(torch.ones(4, dtype=DOUBLE)),
                "You did four rounds.": build(iterate(x, 4)),
                "You did six rounds.": build(iterate(x, 6)),
                "You restored the norm of G at the end.": build(iterate(x, 5)) * sigma.norm(),
            },
        )  # fmt: skip


@exercise("newton_schulz5")
def test_the_number_of_rounds_is_an_argument(student: Student, draw: Draw):
    """None, one, two, three and eight rounds."""
    G, U, V = matrix(draw, 5, 4, SIGMA)
    x = SIGMA / SIGMA.norm()
    for rounds in (0, 1, 2, 3, 8):
        near(
            student.newton_schulz5(G, rounds),
            U @ torch.diag(iterate(x, rounds)) @ V.T,
            "steps is the number of rounds; after 0 rounds only the norm has been divided out.",
        )


@exercise("newton_schulz5")
def test_the_size_of_the_matrix_does_not_matter(student: Student, draw: Draw):
    """The same matrix times 1e-4 and times 1e5; the norm stays above 1e-7."""
    G, _, _ = matrix(draw, 4, 6, SIGMA)
    for factor in (1e-4, 1e5):
        near(
            student.newton_schulz5(factor * G),
            orthogonalised(G),
            "The Frobenius norm is divided out: a factor on G changes nothing.",
        )


@exercise("newton_schulz5")
def test_what_is_almost_zero_stays_small(student: Student, draw: Draw):
    """A matrix with a norm of 1e-11, far below the floor of 1e-7."""
    G, _, _ = matrix(draw, 4, 6, 1e-11 * SIGMA / SIGMA.norm())
    near(
        student.newton_schulz5(G),
        orthogonalised(G),
        "The norm that is divided out is at least 1e-7, not only where it is 0: what is almost "
        "zero is noise, and is not blown up to full size.",
    )


@exercise("newton_schulz5")
def test_zeros_and_matrices_of_low_rank(student: Student, draw: Draw):
    """A matrix of zeros, tall and wide, then rank one: a row, a column, a product, a number."""
    for shape in ((3, 5), (5, 2)):
        got = student.newton_schulz5(torch.zeros(shape, dtype=DOUBLE))
        value = expect(got).tensor(shape, DOUBLE, "The result has shape and dtype of the argument.")
        expect(value).true(
            bool((value == 0).all()),
            "A matrix of zeros gives zeros, not nan: clamp the norm from below at 1e-7.",
        )
    for rows, cols in ((1, 6), (6, 1), (4, 5), (1, 1)):
        G, U, V = matrix(draw, rows, cols, [3.0])
        got = expect(student.newton_schulz5(G)).tensor(
            (rows, cols), DOUBLE, "The result has shape and dtype of the argument."
        )
        value = float(U.T @ got @ V)
        expect(got).true(
            0.55 < value < 1.3,
            "A matrix of rank one keeps its direction, with a singular value near 1; a single row "
            "or column is a matrix.",
        )


@exercise("newton_schulz5")
def test_left_and_right_vectors_stay(student: Student, draw: Draw):
    """Larger matrices with many singular values: what the result is in their own frame."""
    for rows, cols in ((24, 12), (12, 12)):
        sigma = torch.linspace(1.0, 0.25, 12, dtype=DOUBLE)
        G, U, V = matrix(draw, rows, cols, sigma)
        got = expect(student.newton_schulz5(G)).tensor(
            (rows, cols), DOUBLE, "The result has shape and dtype of the argument."
        )
        inner = U.T @ got @ V
        diagonal = inner.diagonal()
        expect(inner).true(
            bool(got.isfinite().all())
            and float((inner - torch.diag(diagonal)).norm()) < 0.1 * float(diagonal.norm())
            and float((got - U @ inner @ V.T).norm()) < 0.1 * float(diagonal.norm()),
            "The result has the singular vectors of G: multiply with X X^T from the left.",
        )
        expect(diagonal).true(
            bool((diagonal > 0.6).all()) and bool((diagonal < 1.25).all()),
            "After five rounds the singular values lie near 1, between .65 and 1.2.",
        )


@exercise("newton_schulz5")
def test_dtypes_and_what_is_no_matrix(student: Student, draw: Draw):
    """float32 and bfloat16; a vector, a number and a stack of matrices."""
    G, _, _ = matrix(draw, 6, 4, SIGMA)
    for dtype in (torch.float32, torch.bfloat16):
        near(
            student.newton_schulz5(G.to(dtype)),
            orthogonalised(G.to(dtype)),
            "The result has the dtype of the argument.",
            dtype=dtype,
        )
    for shape in ((4,), (), (2, 3, 3)):
        raised = student.raised("newton_schulz5", draw.normal(*shape))
        expect(raised).equals("ValueError", "What is not a matrix raises ValueError.")


# muon_step


def muon_direction(gradients, mu: float, nesterov: bool) -> torch.Tensor:
    """What is orthogonalised after these gradients, up to a factor."""
    buf = torch.zeros_like(gradients[0])
    for g in gradients:
        buf = mu * buf + g
    return gradients[-1] + mu * buf if nesterov else buf


def muon_gradient(draw: Draw, rows: int, cols: int) -> torch.Tensor:
    """A gradient with singular values that are not too small; the smaller side is 4."""
    return matrix(draw, rows, cols, SIGMA)[0]


@exercise("muon_step", weight=3)
def test_scale_and_decay_of_the_first_step(student: Student, draw: Draw):
    """The first step of a tall, a wide and a square weight, with a visible decay."""
    for rows, cols in ((9, 4), (4, 8), (4, 4)):
        W, g = draw.normal(rows, cols) / 4, muon_gradient(draw, rows, cols)
        lr, wd = float(draw.uniform(0.7, 0.8)), float(draw.uniform(0.6, 0.8))
        target, scale = orthogonalised(g), 0.2 * max(rows, cols) ** 0.5
        got, buf = step(student, "muon_step", W, g, None, lr, 0.9, wd)
        expect(buf).tensor((rows, cols), DOUBLE, "The buffer has shape and dtype of p.")
        moved = expect(got).tensor((rows, cols), DOUBLE, "The weight keeps shape and dtype.") - W
        decay = -lr * wd * W
        near(
            moved,
            decay - lr * scale * target,
            "p = (1 - lr wd) p - lr * 0.2 * sqrt(max(A, B)) * NS5(...).",
            {
                "Your scale has sqrt(min(A, B)).":
                    decay - lr * 0.2 * min(rows, cols) ** 0.5 * target,
                "Your scale has sqrt(A B).": decay - lr * 0.2 * (rows * cols) ** 0.5 * target,
                "Your scale is sqrt(max(1, A / B)), that of the original.":
                    decay - lr * max(1, rows / cols) ** 0.5 * target,
                "Your scale lacks the square root.": decay - lr * 0.2 * max(rows, cols) * target,
                "You did not scale.": decay - lr * target,
                "Your scale lacks the factor 0.2.": decay - lr * max(rows, cols) ** 0.5 * target,
                "You left the weight decay out.": -lr * scale * target,
                "You added the decay to the gradient: it is decoupled.":
                    -lr * scale * orthogonalised(g + wd * W),
                "You let the step decay as well: the decay is that of the old weight.":
                    decay - (1 - lr * wd) * lr * scale * target,
                "Your decay lacks the learning rate.": -wd * W - lr * scale * target,
                "Your decay grows the weight.": -decay - lr * scale * target,
                "You went uphill.": decay + lr * scale * target,
                "You did not orthogonalise.": decay - lr * scale * 1.9 * g,
            },
        )  # fmt: skip


@exercise("muon_step", weight=2)
def test_momentum_over_several_steps(student: Student, draw: Draw):
    """Four steps of two weights in turns, one with Nesterov; sums and averages both count."""
    mu = float(draw.uniform(0.7, 0.9))
    kinds = (True, False)
    W, buf = {each: draw.normal(4, 9) for each in kinds}, dict.fromkeys(kinds)
    past = {each: [muon_gradient(draw, 4, 9) for _ in range(4)] for each in kinds}
    for k in range(4):
        for nesterov in kinds:
            old, seen = W[nesterov], past[nesterov][: k + 1]
            g = seen[-1]
            got, buf[nesterov] = step(
                student, "muon_step", old, g, buf[nesterov], 0.1, mu, 0.0, nesterov
            )
            new = expect(got).tensor((4, 9), DOUBLE, "The weight keeps shape and dtype.")

            def path(direction):
                return -0.1 * 0.2 * 9**0.5 * orthogonalised(direction)

            near(
                new - old,
                path(muon_direction(seen, mu, nesterov)),
                "Orthogonalise g + mu * buf with the new buffer (Nesterov), or the buffer itself; "
                "the buffer is mu * buf + g, and each weight has its own.",
                {
                    "You exchanged Nesterov and plain momentum.":
                        path(muon_direction(seen, mu, not nesterov)),
                    "You left the momentum out.": path(g),
                    "You weighed the gradient like a sum and the buffer like an average.":
                        path(g + mu * (1 - mu) * muon_direction(seen, mu, False)),
                },
                bound=BF16_SUMS,
            )  # fmt: skip
            W[nesterov] = new


@exercise("muon_step")
def test_how_much_of_the_past_counts(student: Student, draw: Draw):
    """A large gradient, then a small one against it; also with mu = 0."""
    U, V, W = frame(draw, 6, 4), frame(draw, 4, 4), draw.normal(6, 4)

    def build(values) -> torch.Tensor:
        return U @ torch.diag(torch.tensor(values, dtype=DOUBLE)) @ V.T

    mu = float(draw.uniform(0.5, 0.7))
    # Weight of the first gradient relative to the second: right, with mu^2 buf, with buf. A first
    # gradient between two of these weights turns the sign of the sum from one to the other.
    right, squared, whole = mu**2 / (1 + mu), mu**3 / (1 + mu**2), mu / 2
    large, small = (right * squared) ** -0.5, (right * whole) ** -0.5
    first, second = build([-large, -small, -large, -small]), build([1.0, 1.0, 1.0, 1.0])
    for each in (mu, 0.0):
        _, buf = step(student, "muon_step", W, first, None, 0.1, each, 0.0)
        got, _ = step(student, "muon_step", W, second, buf, 0.1, each, 0.0)
        new = expect(got).tensor((6, 4), DOUBLE, "The weight keeps shape and dtype.")

        def path(direction):
            return -0.1 * 0.2 * 6**0.5 * orthogonalised(direction)

        near(
            new - W,
            path(muon_direction([first, second], each, True)),
            "With Nesterov g + mu * buf is orthogonalised, with the new buf = mu * buf + g. mu may "
            "be 0: then nothing is remembered.",
            {
                "You took the default in place of mu = 0.":
                    path(muon_direction([first, second], 0.95, True)),
                "You added buf to the gradient, without mu.":
                    path(second + muon_direction([first, second], each, False)),
                "You multiplied with mu once too often.":
                    path(second + each**2 * muon_direction([first, second], each, False)),
                "You used the old buffer.": path(second + each * first),
            },
            bound=BF16_SUMS,
        )  # fmt: skip


@exercise("muon_step")
def test_the_defaults_agree_with_the_library(student: Student, draw: Draw):
    """Three steps of a float32 weight with the defaults, against torch.optim.Muon."""
    W = draw.normal(6, 4, dtype=torch.float32)
    gradients = [muon_gradient(draw, 6, 4).float() for _ in range(3)]
    rates = [0.5, 0.1, 0.3]
    want = library_run(
        torch.optim.Muon, W, gradients, rates, adjust_lr_fn="match_rms_adamw", weight_decay=0.1
    )
    buf = None
    for g, lr, target in zip(gradients, rates, want, strict=True):
        got, buf = step(student, "muon_step", W, g, buf, lr)
        new = expect(got).tensor((6, 4), torch.float32, "The weight keeps shape and dtype.")
        expect(buf).tensor((6, 4), torch.float32, "The buffer has shape and dtype of p.")
        near(
            new - W,
            (target - W).double(),
            "With the defaults (mu .95, wd .1, Nesterov) a step agrees with torch.optim.Muon and "
            "adjust_lr_fn='match_rms_adamw'.",
            dtype=torch.float32,
            bound=BF16_SUMS,
        )
        W = target


@exercise("muon_step")
def test_a_zero_gradient_only_decays(student: Student, draw: Draw):
    """A gradient of zeros: the weight, a matrix or a single row, decays; a rate of 0."""
    for shape in ((3, 5), (1, 4)):
        W = draw.normal(*shape)
        got, _ = step(student, "muon_step", W, torch.zeros_like(W), None, 0.2, 0.9, 0.5)
        expect(got).close(0.9 * W, "With a gradient of zeros only the decay is left: no nan.")
    got, _ = step(student, "muon_step", W, draw.normal(1, 4), None, 0.0)
    expect(got).close(W, "A learning rate of 0 is a number like others: the weight stays.")
    g = muon_gradient(draw, 4, 5)
    got, _ = step(student, "muon_step", torch.zeros_like(g), 1e4 * g, None, 0.2)
    near(
        got,
        -0.2 * 0.2 * math.sqrt(5) * orthogonalised(g),
        "The size of the gradient does not matter.",
    )
