"""What several sections share: the form of what is returned, and runs of many steps."""

import torch

from autograder.suite import Student, expect

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
