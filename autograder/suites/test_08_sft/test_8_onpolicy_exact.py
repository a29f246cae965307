"""Section 8 of 08_sft. On-policy SFT summed over all prefixes, and its optimum."""

import itertools
import math
from collections import Counter

import torch

from autograder.suite import Draw, Student, exercise, expect
from sft2rl.models import TabularLM

from .oracles import nll, row_of, scalar, score, walk

# exact_onpolicy_sft_loss


def enumerated(table: torch.Tensor, x, y) -> tuple[float, torch.Tensor]:
    """The loss of one pair and its gradient with constant prefix probabilities."""
    V, total, gradient = table.shape[1], 0.0, torch.zeros_like(table)
    for t, token in enumerate(y):
        for drawn in itertools.product(range(V), repeat=t):
            weight = math.exp(-sum(score(table, x, drawn, drawn)))
            row = row_of((*x, *drawn), V)
            total += weight * nll(table[row], token)
            gradient[row] += weight * table[row].softmax(0)
            gradient[row, token] -= weight
    return total, gradient


@exercise("exact_onpolicy_sft_loss", weight=2)
def test_every_prefix_adds_its_share(student: Student, draw: Draw):
    """Three tokens, three letters, of which the teacher uses two; two pairs."""
    V = 3
    table = draw.normal(*TabularLM(V, 3).table.shape)
    table[:, draw.integer(0, V)] -= 4  # prefixes of low probability count, too
    data = [((draw.integer(0, 2),), tuple(draw.integers(0, 2, 3).tolist())) for _ in range(2)]
    value = sum(enumerated(table, x, y)[0] for x, y in data) / 2

    def mean(of) -> torch.Tensor:
        return scalar(sum(of(x, y) for x, y in data) / len(data))

    def teacher(x, y):
        return sum(score(table, x, y, y))

    def same_weights(x, y):
        return sum(nll(table[row_of((*x, *p), V)], y[t]) / V**t
                   for t in range(3) for p in itertools.product(range(V), repeat=t))  # fmt: skip

    def most_probable(x, y):
        return sum(score(table, x, walk(table, x, 2), y))

    def log_of_mean(x, y):
        total = 0.0
        for t, token in enumerate(y):
            chances = [
                math.exp(-sum(score(table, x, (*p, token), (*p, token))))
                for p in itertools.product(range(V), repeat=t)
            ]
            total -= math.log(sum(chances))
        return total

    expect(student.exact_onpolicy_sft_loss(table, data)).close(
        scalar(value),
        "Term t is the sum over all prefixes of t - 1 tokens of their probability under the model "
        "times -ln pi(y*_t | x, prefix); the mean over the pairs.",
        mistakes={
            "You conditioned on the teacher's prefix: that is SFT.": mean(teacher),
            "You gave all prefixes the same weight: use the model's probabilities.":
                mean(same_weights),
            "You followed the most probable prefix only.": mean(most_probable),
            "You took the logarithm of the mean: it is the mean of the logarithm.":
                mean(log_of_mean),
            "You summed over the pairs: take the mean.": scalar(2 * value),
            "You averaged over the tokens: sum them.": scalar(value / 3),
        },
    )  # fmt: skip


@exercise("exact_onpolicy_sft_loss")
def test_the_prefix_probabilities_are_constants(student: Student, draw: Draw):
    """The gradient in every logit."""
    V = 3
    table = draw.normal(*TabularLM(V, 4).table.shape)
    data = [((1, 0), (2, 0)), ((), (draw.integer(0, V), 1, 2))]
    want = sum(enumerated(table, x, y)[1] for x, y in data) / 2
    leaf = table.clone().requires_grad_()
    (full,) = torch.autograd.grad(with_score_term(leaf, data), leaf)
    got = student.grad("exact_onpolicy_sft_loss", table, data, wrt=(0,))
    expect(got.grads[0]).close(
        want,
        "The gradient flows through the logarithm only, weighted with the probabilities of the "
        "prefixes, which are constants; rows that no pair needs get 0.",
        mistakes={"You differentiated through the probabilities of the prefixes: detach them.":
                  full},
    )  # fmt: skip


def with_score_term(tables: torch.Tensor, data) -> torch.Tensor:
    """The loss with nothing detached (a mistake)."""
    V, logps, total = tables.shape[1], tables.log_softmax(-1), 0.0
    for x, y in data:
        for t, token in enumerate(y):
            for p in itertools.product(range(V), repeat=t):
                path = [logps[row_of((*x, *p[:s]), V), p[s]] for s in range(t)]
                weight = torch.stack(path).sum().exp() if path else 1.0
                total = total - weight * logps[row_of((*x, *p), V), token]
    return total / len(data)


@exercise("exact_onpolicy_sft_loss")
def test_ragged_answers_repetitions_and_empty_prompts(student: Student, draw: Draw):
    """Answers of one to six tokens in two letters; one pair occurs three times."""
    V = 2
    table = draw.normal(*TabularLM(V, 6).table.shape)
    y = tuple(draw.integers(0, V, 6).tolist())
    data = [((), y)] * 3 + [((1,), (0,)), ((0, 1), (1, 1, 0))]
    data = draw.shuffled(data)
    want = sum(enumerated(table, x, each)[0] for x, each in data) / 5
    distinct = sum(enumerated(table, x, each)[0] for x, each in sorted(set(data))) / 3
    tokens = sum(len(each) for _, each in data)
    expect(student.exact_onpolicy_sft_loss(table, data)).close(
        scalar(want),
        "Every pair weighs the same, repeated or not, short or long; the table may have more rows "
        "than needed.",
        mistakes={
            "You dropped repetitions: they count.": scalar(distinct),
            "You divided by the number of tokens: the mean is over the pairs.":
                scalar(5 * want / tokens),
        },
    )  # fmt: skip


@exercise("exact_onpolicy_sft_loss")
def test_impossible_prefixes_cost_nothing(student: Student, draw: Draw):
    """Logits hundreds apart: some probabilities underflow to 0."""
    V = 3
    table = 400 * draw.normal(*TabularLM(V, 3).table.shape).sign() + draw.normal(
        *TabularLM(V, 3).table.shape
    )
    table[:, 0] += 1000
    data = [((2,), (1, 2, 1)), ((), (2, 0))]
    want = sum(enumerated(table, x, y)[0] for x, y in data) / 2
    expect(student.exact_onpolicy_sft_loss(table, data)).close(
        scalar(want),
        "Use log_softmax: the logarithm of a probability that underflowed is -inf, and 0 times "
        "infinity is not a number.",
    )


# onpolicy_sft_optimum


def product_of_marginals(data) -> dict[tuple[int, ...], float]:
    """Every sequence of seen tokens, position by position."""
    result = {(): 1.0}
    for column in zip(*data, strict=True):
        shares = {token: n / len(data) for token, n in Counter(column).items()}
        result = {(*y, v): p * q for y, p in result.items() for v, q in shares.items()}
    return result


@exercise("onpolicy_sft_optimum", weight=2)
def test_the_two_teachers_mix(student: Student, draw: Draw):
    """The default data, then AB and BA with other ids."""
    a, b = draw.sample(range(2, 90), 2)
    for args, (A, B) in (((), (0, 1)), (([(a, b), (b, a)],), (a, b))):
        expect(student.onpolicy_sft_optimum(*args)).close(
            dict.fromkeys(itertools.product((A, B), repeat=2), 0.25),
            "After any prefix the best prediction is the marginal of the position: 1/4 for each of "
            "the four sequences.",
            mistakes={
                "That is the optimum of SFT: on-policy SFT forgets the pairing.":
                    {(A, B): 0.5, (B, A): 0.5}
            },
        )  # fmt: skip


@exercise("onpolicy_sft_optimum", weight=2)
def test_the_optimum_is_the_product_of_the_marginals(student: Student, draw: Draw):
    """Three positions, repeated answers, another law at each position; a tuple of answers."""
    a, b, c = draw.sample(range(60), 3)
    data = [(a, b, a), (a, b, a), (a, c, b), (b, b, c), (a, a, c)]
    data = draw.shuffled(data)
    want = product_of_marginals(data)
    pooled = Counter(itertools.chain(*data))
    unigram = {
        y: math.prod(pooled[v] / 15 for v in y) for y in itertools.product((a, b, c), repeat=3)
    }
    seen = {y: want[y] for y in set(data)}
    expect(student.onpolicy_sft_optimum(tuple(data))).close(
        want,
        "Multiply the frequencies of the tokens position by position, over all sequences of "
        "positive probability.",
        mistakes={
            "That is the optimum of SFT: the frequencies of the data.":
                {y: n / 5 for y, n in Counter(data).items()},
            "You pooled the positions: each has its own marginal.": unigram,
            "You dropped repetitions: they count.": product_of_marginals(sorted(set(data))),
            "Sequences that nobody wrote have positive probability, too.": seen,
        },
    )  # fmt: skip


@exercise("onpolicy_sft_optimum")
def test_one_answer_and_one_token_are_learnt_exactly(student: Student, draw: Draw):
    """A single answer repeated, then answers of one token, then of five, one of them rare."""
    y = tuple(draw.integers(0, 50, 4).tolist())
    expect(student.onpolicy_sft_optimum([y] * 3)).close(
        {y: 1.0}, "If there is one answer only, the marginals are the answer: probability 1."
    )
    data = [(v,) for v in draw.shuffled([4, 4, 4, 9])]
    expect(student.onpolicy_sft_optimum(data)).close(
        {(4,): 0.75, (9,): 0.25}, "With one token the marginal is the data; keys are tuples."
    )
    data = [(0, 1, 1, 0, 2), (0, 2, 1, 0, 1), (0, 1, 1, 0, 1)]
    expect(student.onpolicy_sft_optimum(data)).close(
        product_of_marginals(data),
        "Sequences of every length; those of probability 0 are absent.",
    )
    rare = [(0,) * 5] * 9 + [(1, 1, 1, 1, 1)]
    expect(student.onpolicy_sft_optimum(rare)).close(
        product_of_marginals(rare),
        "Every sequence of positive probability is there, however improbable: no threshold.",
    )
