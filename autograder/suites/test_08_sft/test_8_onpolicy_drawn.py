"""Section 8 of 08_sft. On-policy SFT on prefixes that the policy draws."""

import itertools
import math

import torch

from autograder.suite import Draw, Student, exercise, expect, model
from sft2rl.models import TabularLM

from .oracles import DOUBLE, favourite, nll, reductions, row_of, scalar, score, walk

# onpolicy_sft_loss

CERTAIN = 60.0  # a logit this far above the others leaves e^-60 for chance


def crossing(table: torch.Tensor, context: int):
    """A table of logits as a model that crosses."""
    config = {"vocab_size": table.shape[1], "context": context}
    return model("sft2rl.models.TabularLM", config, {"table": table})


def certain_table(draw: Draw, V: int, context: int):
    """Free logits with one nearly certain token per prefix, which depends on the prefix.

    The favourite after a prefix is the sum of its tokens plus its length plus a shift, modulo V.
    """
    table = draw.normal(*TabularLM(V, context).table.shape)
    shift = draw.integer(0, V)
    for n in range(context + 1):
        for prefix in itertools.product(range(V), repeat=n):
            table[row_of(prefix, V), (sum(prefix) + n + shift) % V] += CERTAIN
    return table


def contrary(table: torch.Tensor, x: tuple[int, ...], T: int) -> tuple[int, ...]:
    """A teacher who never writes what the model writes, nor what it would after the teacher."""
    V, drawn, y = table.shape[1], walk(table, x, T), ()
    for t in range(T):
        avoid = {drawn[t], favourite(table, (*x, *y))}
        y = (*y, min(set(range(V)) - avoid))
    return y


def padded(answers: list[tuple[int, ...]]) -> torch.Tensor:
    """Answers as a tensor with -100 on the right."""
    T = max(map(len, answers))
    return torch.tensor([[*y, *[-100] * (T - len(y))] for y in answers])


@exercise("onpolicy_sft_loss", weight=2)
def test_the_teachers_tokens_after_the_models_own_prefixes(student: Student, draw: Draw):
    """A model that is nearly certain, a teacher who disagrees, answers of three lengths."""
    V = 4
    table = certain_table(draw, V, 5)
    c = draw.integer(0, 3)
    xs = draw.shuffled([(c, c), (c, c + 1), (c + 1, c + 1)])  # three different favourites
    answers = [contrary(table, x, T) for x, T in zip(xs, draw.shuffled([4, 2, 3]), strict=True)]
    own = [walk(table, x, 4) for x in xs]
    rows = list(zip(xs, own, answers, strict=True))
    terms = [score(table, x, y_own, y) for x, y_own, y in rows]
    want, token_mean, mean_of_means = reductions(terms)
    without_first = reductions([row[1:] for row in terms])[0]
    batch = torch.tensor(xs * 50), padded(answers * 50)  # copies: a rare slip would show
    got = student.onpolicy_sft_loss(crossing(table, 5), *batch, draw.generator())
    text = (
        "Mean over the rows of the sum over t of -ln pi(y*_t | x, y~_<t): the teacher's tokens "
        "after the drawn prefixes."
    )
    loss = float(expect(got).tensor((), DOUBLE, f"Return a 0-d tensor. {text}"))
    expect(loss).true(abs(loss) > 1, "You scored the drawn tokens: the targets are the teacher's.")
    expect(got).close(
        want,
        text,
        mistakes={
            "You conditioned on the teacher's prefix: that is SFT.":
                reductions([score(table, x, y, y) for x, _, y in rows])[0],
            "You averaged over the tokens: sum them, then average over the rows.": token_mean,
            "You averaged the means of the rows: sum over the tokens.": mean_of_means,
            "You did not divide by the number of rows.": 150 * want,
            "The first token is missing: it is predicted from the prompt.": without_first,
            "The sign is wrong: a loss is minus the log-probability.": -want,
        },
    )  # fmt: skip


@exercise("onpolicy_sft_loss", weight=2)
def test_the_mean_of_many_rows_is_the_expectation(student: Student, draw: Draw):
    """Many equal rows under a lopsided law, against the sum over all prefixes."""
    V, T, x, count = 3, 3, (draw.integer(0, 3),), 30_000
    often, target, seldom = draw.sample(range(V), V)
    y = (target,) * T
    law = {often: 0.6, target: 0.3, seldom: 0.1}
    cost = {often: 0.7, target: 1.5, seldom: 8.0}  # of the teacher's token after each of them
    table = torch.zeros(TabularLM(V, 3).table.shape, dtype=DOUBLE)
    for n in range(T):
        for drawn in itertools.product(range(V), repeat=n):
            share = math.exp(-cost[drawn[-1]]) if n else law[target]
            row = [law[v] / (1 - law[target]) * (1 - share) for v in range(V)]
            row[target] = share
            table[row_of((*x, *drawn), V)] = torch.tensor(row, dtype=DOUBLE).log()
    mean, square = exact_moments(table, x, y)
    deviation = math.sqrt((square - mean**2) / count)
    batch = (torch.tensor([x]).repeat(count, 1), torch.tensor([y]).repeat(count, 1))
    got = student.onpolicy_sft_loss(crossing(table, 3), *batch, draw.generator())
    text = (
        "Over many rows the loss must approach the expectation: each row draws its own tokens, at "
        "temperature 1, from the whole vocabulary, each given the drawn ones before it."
    )
    expect(got).tensor((), DOUBLE, text)
    expect(got).true(abs(float(got) - mean) < 7 * deviation, text)


def exact_moments(table: torch.Tensor, x, y) -> tuple[float, float]:
    """Mean and mean square of one row's loss, over all drawn prefixes."""
    V, mean, square = table.shape[1], 0.0, 0.0
    for drawn in itertools.product(range(V), repeat=len(y) - 1):
        weight = math.exp(-sum(score(table, x, drawn, drawn)))
        loss = sum(score(table, x, drawn, y))
        mean, square = mean + weight * loss, square + weight * loss**2
    return mean, square


@exercise("onpolicy_sft_loss")
def test_an_end_of_sequence_inside_the_sample_is_an_ordinary_token(student: Student, draw: Draw):
    """The model writes token 1, and then other tokens; the teacher goes on."""
    V, x = 4, (draw.integer(2, 4),)
    table = draw.normal(*TabularLM(V, 4).table.shape)
    own = (1, draw.integer(2, 4), 1, 0)
    for n in range(4):
        table[row_of((*x, *own[:n]), V), own[n]] += CERTAIN
    y = (0, 0, 0, 1)
    terms = score(table, x, own, y)
    padding = score(table, x, (1, 1, 1, 1), y)
    got = student.onpolicy_sft_loss(
        crossing(table, 4), torch.tensor([x]), torch.tensor([y]), draw.generator()
    )
    expect(got).close(
        scalar(sum(terms)),
        "Drawing goes on after an EOS in the sample, and all tokens of the teacher count.",
        mistakes={
            "You dropped the terms after an EOS in the sample.": scalar(sum(terms[:2])),
            "You padded the sample with EOS: it is drawn on instead.": scalar(sum(padding)),
        },
    )


@exercise("onpolicy_sft_loss")
def test_the_gradient_flows_through_the_logarithm_only(student: Student, draw: Draw):
    """A model that is not certain: the gradient of the logits after the prompt, by value."""
    V, x, T = 3, (0, draw.integer(0, 3)), 3
    table = 0.7 * draw.normal(*TabularLM(V, 4).table.shape)
    y = tuple(draw.integers(0, V, T).tolist())
    answers = torch.tensor([y, y, [y[0], -100, -100]])
    got = student.onpolicy_sft_gradient(
        crossing(table, 4), torch.tensor([x] * 3), answers, draw.generator()
    )
    text = (
        "The gradient flows through -ln pi(y*_t | x, y~_<t) and reaches the parameters; the drawn "
        "tokens are constants (no score term, no relaxation)."
    )
    expect(isinstance(got, dict) and isinstance(got.get("table"), torch.Tensor)).equals(True, text)
    first = table[row_of(x, V)].softmax(0)
    first[y[0]] -= 1
    expect(got["table"][row_of(x, V)]).close(first, text)
    certain = certain_table(draw, 4, 5)
    x = (draw.integer(0, 4), draw.integer(0, 4))
    y, own = contrary(certain, x, 4), walk(certain, x, 3)
    want = torch.zeros_like(certain)
    for t in range(4):
        row = row_of((*x, *own[:t]), 4)
        want[row] = certain[row].softmax(0)
        want[row, y[t]] -= 1
    got = student.onpolicy_sft_gradient(
        crossing(certain, 5), torch.tensor([x]), torch.tensor([y]), draw.generator()
    )
    expect(isinstance(got, dict)).equals(True, text)
    expect(got.get("table")).close(want, text)


@exercise("onpolicy_sft_loss")
def test_chance_comes_from_the_generator(student: Student, draw: Draw):
    """The same generator twice, then others, on a model that is far from certain."""
    table = draw.normal(*TabularLM(4, 5).table.shape)
    batch = (draw.integers(0, 4, 9, 1), draw.integers(0, 4, 9, 5))
    seeds = draw.sample(range(10_000), 5)

    def value(seed: int):
        generator = torch.Generator().manual_seed(seed)
        got = student.onpolicy_sft_loss(crossing(table, 5), *batch, generator)
        return float(expect(got).tensor((), DOUBLE, "Return a 0-d tensor."))

    values = [value(seed) for seed in seeds]
    expect(value(seeds[0])).equals(values[0], "The same generator must give the same loss.")
    expect(len(set(values)) > 1).equals(
        True, "Other generators must give other samples: draw with the generator handed to you."
    )


@exercise("onpolicy_sft_loss")
def test_every_token_of_the_vocabulary_is_drawn_as_often_as_it_should(student: Student, draw: Draw):
    """One drawn token out of 64 under a law with a long tail, very many equal rows."""
    V, count = 64, 30_000
    x, target = draw.integer(0, V), draw.integer(0, V)
    order = draw.shuffled(range(V))
    law, cost = torch.empty(V, dtype=DOUBLE), torch.empty(V, dtype=DOUBLE)
    for group, share, dear in (
        (order[:1], 0.5, 0.2),
        (order[1:60], 0.492, 1.2),
        (order[60:], 0.008, 8.2),
    ):
        law[group], cost[group] = share / len(group), dear
    table = torch.zeros(TabularLM(V, 2).table.shape, dtype=DOUBLE)
    table[row_of((x,), V)] = law.log()
    for drawn in range(V):  # the teacher's second token costs what was drawn before it
        row = torch.full((V,), -math.expm1(-float(cost[drawn])) / (V - 1), dtype=DOUBLE)
        row[target] = math.exp(-float(cost[drawn]))
        table[row_of((x, drawn), V)] = row.log()
    mean = float(law @ cost)
    deviation = math.sqrt(float(law @ (cost - mean) ** 2) / count)
    want = mean - math.log(float(law[target]))
    batch = torch.full((count, 1), x), torch.full((count, 2), target)
    got = student.onpolicy_sft_loss(crossing(table, 2), *batch, draw.generator())
    text = (
        "Draw from softmax(logits) itself: at temperature 1, from the whole vocabulary, no top-k "
        "and no top-p."
    )
    expect(got).tensor((), DOUBLE, text)
    expect(got).true(abs(float(got) - want) < 7 * deviation, text)


@exercise("onpolicy_sft_loss")
def test_every_step_has_its_own_luck(student: Student, draw: Draw):
    """Two fair coins in a row decide what the third token of the teacher costs."""
    count, x = 2000, draw.integer(0, 2)
    table = torch.zeros(TabularLM(2, 3).table.shape, dtype=DOUBLE)
    for a, b in itertools.product(range(2), repeat=2):
        share = math.exp(-1.0 - (a == b))
        table[row_of((x, a, b), 2)] = torch.tensor([share, 1 - share], dtype=DOUBLE).log()
    batch = torch.full((count, 1), x), torch.zeros(count, 3, dtype=torch.long)
    got = student.onpolicy_sft_loss(crossing(table, 3), *batch, draw.generator())
    text = "Every step of every row is drawn anew: do not use the same random number twice."
    expect(got).tensor((), DOUBLE, text)
    expect(got).true(abs(float(got) - 2 * math.log(2) - 1.5) < 7 * 0.5 / math.sqrt(count), text)


@exercise("onpolicy_sft_loss")
def test_long_prompts_and_long_answers_are_read_to_the_end(student: Student, draw: Draw):
    """A nearly certain model of two letters; prompts of six tokens, answers of seven."""
    xs = draw.integers(0, 2, 3, 6)
    xs[:, 0] = torch.tensor([0, 1, draw.integer(0, 2)])
    table = certain_table(draw, 2, 12)
    rows = [
        (x, own := walk(table, x, 7), tuple(1 - v for v in own)) for x in map(tuple, xs.tolist())
    ]
    terms = [score(table, x, own, y) for x, own, y in rows]
    batch = xs, torch.tensor([y for _, _, y in rows])
    expect(student.onpolicy_sft_loss(crossing(table, 12), *batch, draw.generator())).close(
        reductions(terms)[0],
        "Each token is drawn given the whole prompt and all tokens drawn before it, and a term "
        "costs what it costs, however much.",
    )


@exercise("onpolicy_sft_loss")
def test_answers_of_one_token_need_no_drawing(student: Student, draw: Draw):
    """T = 1, prompts of one and of three tokens, the last in float32."""
    for P, dtype in ((1, DOUBLE), (3, torch.float32)):
        table = draw.normal(*TabularLM(5, P).table.shape, dtype=dtype)
        x, y = draw.integers(0, 5, 4, P), draw.integers(0, 5, 4, 1)
        want = sum(nll(table[row_of(tuple(p), 5)], t[0])
                   for p, t in zip(x.tolist(), y.tolist(), strict=True))  # fmt: skip
        got = student.onpolicy_sft_loss(crossing(table, P), x, y, draw.generator())
        expect(got).close(
            scalar(want / 4).to(dtype),
            "With one token nothing is drawn: the plain SFT loss, in the dtype of the logits. The "
            "model never needs more than P + T - 1 tokens.",
        )
