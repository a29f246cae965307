"""Sections 2 and 3 of 07_optimizers. Adam, and the epsilon of the slide."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, keys, library_run, step, student_runs


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
