"""Sections 5 and 6 of 06_scaling. Shards of a batch, and the weighted mean over ranks."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, near

# --- shard_batch --------------------------------------------------------------------------


def cut(batch, sizes):
    """Consecutive slices of these sizes."""
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return [batch[a : a + n] for a, n in zip(starts, sizes, strict=True)]


@exercise("shard_batch", weight=2)
def test_shards_are_consecutive_and_nearly_equal(student: Student, draw: Draw):
    """Ten words for 4 ranks, eleven for 3; words may repeat."""
    for B, N, sizes, ceil in ((10, 4, [3, 3, 2, 2], 3), (11, 3, [4, 4, 3], 4)):
        batch = draw.text(B).split()
        floor = B // N
        expect(student.shard_batch(batch, N)).equals(
            cut(batch, sizes),
            "Consecutive slices; the first B % world_size ranks get one element more.",
            mistakes={
                "You dropped the remainder.": cut(batch, [floor] * N),
                "You gave the whole remainder to the last rank.":
                    cut(batch, [floor] * (N - 1) + [B - floor * (N - 1)]),
                "You gave the larger shards to the last ranks.": cut(batch, sizes[::-1]),
                "You rounded the size up, so that the last rank gets too little.":
                    [batch[i * ceil : (i + 1) * ceil] for i in range(N)],
                "You dealt the elements out one by one.": [batch[r::N] for r in range(N)],
                "You repeated elements to make the shards equal.":
                    [(batch + batch)[r * ceil : (r + 1) * ceil] for r in range(N)],
            },
        )  # fmt: skip


@exercise("shard_batch")
def test_an_even_batch_and_one_rank(student: Student, draw: Draw):
    """Nine numbers for 3 ranks and for one."""
    batch = draw.shuffled(range(9))
    expect(student.shard_batch(batch, 3)).equals(
        cut(batch, [3, 3, 3]), "An even batch gives equal shards, in the order of the batch."
    )
    expect(student.shard_batch(batch, 1)).equals(
        [batch], "One rank gets the whole batch, in a list of one shard."
    )


@exercise("shard_batch")
def test_more_ranks_than_elements(student: Student, draw: Draw):
    """Two elements for 4 ranks, and none at all."""
    batch = draw.shuffled(range(2))
    expect(student.shard_batch(batch, 4)).equals(
        [batch[:1], batch[1:], [], []],
        "There is one shard per rank, also if some of them are empty.",
    )
    expect(student.shard_batch([], 2)).equals([[], []], "An empty batch gives empty shards.")


@exercise("shard_batch")
def test_a_tensor_is_cut_along_its_first_dimension(student: Student, draw: Draw):
    """A [5, 6] tensor of token ids for 3 ranks, [1, 6] for 2; three dimensions, and one."""
    for shape, sizes in (
        ((5, 6), [2, 2, 1]), ((1, 6), [1, 0]), ((5, 2, 3), [3, 2]), ((4,), [2, 1, 1]),
    ):  # fmt: skip
        batch = draw.integers(0, 100, *shape)
        got = student.shard_batch(batch, len(sizes))
        expect(got).true(
            isinstance(got, list) and len(got) == len(sizes),
            "Return a list with one shard per rank.",
        )
        expect(got).equals(
            list(batch.split(sizes)), "The shards of a tensor are tensors, cut along dimension 0."
        )


# --- all_reduce_mean ----------------------------------------------------------------------


@exercise("all_reduce_mean", weight=2)
def test_the_mean_is_weighted(student: Student, draw: Draw):
    """Three [2, 4] gradients with unequal token counts, and with fractions as weights."""
    for weights in (draw.sample([3, 5, 9, 14, 20], 3), draw.sample([0.1, 0.3, 0.35, 0.7], 3)):
        grads = [draw.normal(2, 4) for _ in range(3)]
        sums = [w * g for w, g in zip(weights, grads, strict=True)]
        total = sum(weights)
        near(student.all_reduce_mean(grads, weights), 
            sum(sums) / total,
            "The sum of w_r g_r divided by the sum of the w_r.",
            mistakes={
                "You ignored the weights.": sum(grads) / 3,
                "You summed without dividing.": sum(sums),
                "You divided by the number of ranks.": sum(sums) / 3,
                "You divided the gradients by their weights.":
                    sum(g / w for w, g in zip(weights, grads, strict=True)) / 3,
                "You summed the gradients and divided by the weights.": sum(grads) / total,
            },
        )  # fmt: skip


@exercise("all_reduce_mean")
def test_without_weights_every_rank_counts_the_same(student: Student, draw: Draw):
    """Four vectors, weights left out and None."""
    grads = [draw.normal(5) for _ in range(4)]
    want = sum(grads) / 4
    near(
        student.all_reduce_mean(grads),
        want,
        "Without weights it is the plain mean over the ranks.",
        mistakes={"You returned the sum.": sum(grads)},
    )
    near(student.all_reduce_mean(grads, None), want, "None means equal weights.")


@exercise("all_reduce_mean", weight=2)
def test_it_gives_the_gradient_of_the_whole_batch(student: Student, draw: Draw):
    """A regression on 1, 2 and 6 examples: gradients of the shards and of all nine."""
    x, y, theta = draw.normal(9, 3), draw.normal(9), draw.normal(3)

    def gradient(rows: slice) -> torch.Tensor:
        leaf = theta.clone().requires_grad_()
        loss = (x[rows] @ leaf - y[rows]).square().mean()
        return torch.autograd.grad(loss, leaf)[0]

    shards = [slice(0, 1), slice(1, 3), slice(3, 9)]
    got = student.all_reduce_mean([gradient(rows) for rows in shards], [1, 2, 6])
    near(
        got,
        gradient(slice(0, 9)),
        "Weighted with the counts, the mean of the shards' gradients is that of the whole batch.",
    )


@exercise("all_reduce_mean")
def test_ranks_that_do_not_count(student: Student, draw: Draw):
    """Weights of 0, a single rank, weights of 1 and a million, and tiny ones."""
    a, b, c = draw.normal(3, 2), draw.normal(3, 2), draw.normal(3, 2)
    for weights, want in (([0, 4, 0], b), ([0, 0, 4], c)):
        near(
            student.all_reduce_mean([a, b, c], weights),
            want,
            "A rank of weight 0 does not count, neither above nor below the fraction.",
        )
    near(
        student.all_reduce_mean([a], [7]),
        a,
        "One rank alone gets its own gradient, whatever its weight.",
    )
    near(
        student.all_reduce_mean([a, b], [1, 1_000_000]),
        (a + 1_000_000 * b) / 1_000_001,
        "Weights are not clipped.",
    )
    near(
        student.all_reduce_mean([a, b], [1e-8, 3e-8]),
        (a + 3 * b) / 4,
        "The scale of the weights does not matter: add nothing to their sum.",
    )


@exercise("all_reduce_mean")
def test_scalars_and_single_precision(student: Student, draw: Draw):
    """0-d tensors, and a float32 [1, 2, 3]."""
    a, b = (torch.tensor(float(x), dtype=DOUBLE) for x in draw.uniform(1, 9, 2))
    near(student.all_reduce_mean([a, b], [1, 3]), (a + 3 * b) / 4, "0-d tensors give a 0-d tensor.")
    a, b = draw.normal(1, 2, 3, dtype=torch.float32), draw.normal(1, 2, 3, dtype=torch.float32)
    near(
        student.all_reduce_mean([a, b], [2, 3]),
        (2 * a + 3 * b) / 5,
        "The mean has the shape and the dtype of the gradients.",
    )
