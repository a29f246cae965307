"""Section 1 of 07_optimizers. Descent with momentum."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, keys, library_run, step, student_runs


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
