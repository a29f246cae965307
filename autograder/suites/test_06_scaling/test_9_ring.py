"""Section 9 of 06_scaling. The bytes of a ring all-reduce."""

from fractions import Fraction

from autograder.suite import Draw, Student, exercise, expect

# --- ring_allreduce_bytes -----------------------------------------------------------------


def ring(N: int, n_bytes: int) -> Fraction:
    """Bytes that rank 0 sends in a simulated ring; checks that the sums come out right."""
    holds = [[{rank} for _ in range(N)] for rank in range(N)]
    sent = 0
    for step in range(2 * (N - 1)):
        moving = [holds[rank][(rank - step) % N] for rank in range(N)]
        for rank in range(N):
            chunk = (rank - 1 - step) % N
            holds[rank][chunk] = moving[rank - 1] | (holds[rank][chunk] if step < N - 1 else set())
        sent += 1
    assert all(part == set(range(N)) for row in holds for part in row)
    return Fraction(n_bytes, N) * sent


def number(got) -> float:
    """A Fraction, int or float as a float."""
    expect(got).true(
        isinstance(got, int | float | Fraction) and not isinstance(got, bool),
        "Return an int, a float or a Fraction.",
    )
    return float(got)


@exercise("ring_allreduce_bytes", weight=2)
def test_the_bytes_are_those_of_a_simulated_ring(student: Student, draw: Draw):
    """5, 8 and 12 ranks and a tensor that they divide."""
    for N in (5, 8, 12):
        n = 120 * draw.integer(10, 10_000)
        want = float(ring(N, n))
        expect(number(student.ring_allreduce_bytes(N, n))).close(
            want,
            "2 (N - 1) chunks of n / N bytes: N - 1 to reduce and N - 1 to gather.",
            mistakes={
                "You counted one of the two phases.": want / 2,
                "You counted N chunks per phase instead of N - 1.": 2.0 * n,
                "You sent the whole tensor in every step.": 2.0 * n * (N - 1),
                "You sent the whole tensor to every other rank.": 1.0 * n * (N - 1),
                "You counted the whole tensor for every rank.": 1.0 * n * N,
                "You counted all ranks together.": want * N,
                "You divided by N - 1 instead of N.": 2.0 * n,
            },
        )


@exercise("ring_allreduce_bytes")
def test_one_rank_and_two(student: Student, draw: Draw):
    """A single rank sends nothing; two send the size of the tensor each; an empty tensor."""
    n = 2 * draw.integer(100, 1000)
    expect(number(student.ring_allreduce_bytes(1, n))).equals(0.0, "A single rank sends nothing.")
    expect(number(student.ring_allreduce_bytes(2, n))).close(
        float(n), "Two ranks send half of the tensor twice."
    )
    expect(number(student.ring_allreduce_bytes(3, 0))).equals(
        0.0, "An empty tensor needs no bytes."
    )


@exercise("ring_allreduce_bytes")
def test_sizes_that_do_not_come_out_even(student: Student, draw: Draw):
    """7 ranks and a size that 7 does not divide, below 7, small and large."""
    for n in (3, 7 * draw.integer(1, 5) + 3, 7 * draw.integer(10**6, 10**7) + 1):
        expect(number(student.ring_allreduce_bytes(7, n))).close(
            float(ring(7, n)), "The exact value is a fraction: do not round chunks or the result."
        )
