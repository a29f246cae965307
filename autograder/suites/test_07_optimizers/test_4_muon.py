"""Section 4 of 07_optimizers. The Newton-Schulz iteration and Muon."""

import math

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, library_run, step

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
