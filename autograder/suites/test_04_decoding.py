"""Hidden suite of 04_decoding.

Strategy: greedy decoding is compared with `generate` of transformers on small random Llamas, and
with chains of certain tokens whose every step is known. Temperature, nuclei and draws have exact
oracles: powers of probabilities, a search over all subsets, transformers' own filter, whole numbers
of sixteenths. Speculative rules are compared with formulas on arbitrary pairs of distributions, and
their law with rules that the suite makes up. A speculative step is first tried in worlds where
nothing is left to chance; then its counts are compared with the exact law of its outcome, with
bounds that a right answer misses with a probability below 1e-9.
"""

import itertools

import torch
from transformers import LlamaConfig, LlamaForCausalLM, TopPLogitsWarper

from autograder.suite import Draw, Student, exercise, expect, model
from sft2rl.checks.decoding import story_config, story_llama

PRELOAD = ("transformers",)
DEPENDS = {
    "speculative_output_distribution": ["acceptance_probability", "residual_distribution"],
    "speculative_step": ["acceptance_probability", "residual_distribution", "sample_from"],
}
FORBIDDEN = {
    "greedy_decode": ["model.generate"],
    "top_p_filter": ["transformers.TopPLogitsWarper"],
    "sample_from": ["torch.multinomial", "torch.distributions"],
}

DOUBLE = torch.float64


def doubles(*values: float) -> torch.Tensor:
    """A float64 vector."""
    return torch.tensor(values, dtype=DOUBLE)


# greedy_decode


def keyed_llama(draw: Draw) -> LlamaForCausalLM:
    """A small Llama with random weights in float64, which reads all of its prefix."""
    llama = LlamaForCausalLM(LlamaConfig(**LLAMA)).double().eval()
    for name, weight in llama.named_parameters():
        weight.requires_grad_(False)
        weight.copy_(torch.ones(12) if "norm" in name else draw.normal(*weight.shape) * 0.8)
    return llama


LLAMA = {
    "vocab_size": 13,
    "hidden_size": 12,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "num_key_value_heads": 1,
    "head_dim": 4,
    "bos_token_id": None,
    "eos_token_id": None,
}


def crossing(llama: LlamaForCausalLM, config: dict):
    """The same Llama as an argument."""
    return model("transformers.LlamaForCausalLM", config, llama.state_dict())


@torch.no_grad()
def free_run(llama: LlamaForCausalLM, ids: torch.Tensor, steps: int):
    """`steps` greedy tokens of each row without any EOS, and the smallest gap of two logits."""
    gap, length = torch.inf, ids.shape[1]
    for _ in range(steps):
        top = llama(ids).logits[:, -1].topk(2)
        gap = min(gap, float((top.values[:, 0] - top.values[:, 1]).min()))
        ids = torch.cat([ids, top.indices[:, :1]], 1)
    return ids[:, length:], gap


@torch.no_grad()
def ragged_case(draw: Draw):
    """A Llama, three prompts and an EOS: two rows end at different steps, one never does; a prompt
    contains the EOS, and a model that does not see it there chooses another token."""
    while True:
        llama, prompts = keyed_llama(draw), draw.integers(0, 13, 3, 9)
        new, gap = free_run(llama, prompts, 6)
        for eos in prompts.unique().tolist():
            ends = sorted(row.index(eos) if eos in row else 6 for row in new.tolist())
            if gap > 0.01 and ends[0] < ends[1] < 5 and ends[2] == 6:
                blind = llama(prompts, attention_mask=(prompts != eos).long()).logits[:, -1]
                if not torch.equal(blind.argmax(-1), new[:, 0]):
                    return llama, prompts, eos


def filled(prompts, story, steps, eos, filler=None, ends=True):
    """What greedy decoding gives in a story: `story[u]` follows `u`; rows as lists."""
    rows = []
    for prompt in prompts:
        row, done = list(prompt), False
        for _ in range(steps):
            row.append(filler if done and filler is not None else eos if done else story[row[-1]])
            done = done or (ends and row[-1] == eos)
        rows.append(row)
    return torch.tensor(rows)


def chain(draw: Draw, size: int):
    """A cycle through all tokens in random order, as a story and as that order."""
    order = draw.shuffled(range(size))
    return {order[i]: order[(i + 1) % size] for i in range(size)}, order


def story(story_of: dict[int, int]):
    """A Llama that is certain of the next token, as an argument."""
    return crossing(story_llama(story_of), story_config(len(story_of)))


@exercise("greedy_decode", weight=3)
def test_the_tokens_are_those_of_the_library(student: Student, draw: Draw):
    """A random Llama and three prompts; two rows end at different steps, one never."""
    llama, prompts, eos = ragged_case(draw)
    want = llama.generate(
        prompts,
        attention_mask=torch.ones_like(prompts),
        max_new_tokens=6,
        do_sample=False,
        eos_token_id=eos,
        pad_token_id=eos,
    )
    new, _ = free_run(llama, prompts, 6)
    going_on = torch.cat([prompts, new], 1)
    expect(student.greedy_decode(crossing(llama, LLAMA), prompts, 6, eos)).equals(
        want,
        "At each step feed all tokens so far and append the argmax of the last position; rows "
        "that met the EOS are filled with it.",
        mistakes={
            "A row that met the EOS must not go on.": going_on,
            "You append tokens to the left or return them without the prompts.": want[:, 9:],
        },
    )


@exercise("greedy_decode", weight=2)
def test_each_row_stops_for_itself(student: Student, draw: Draw):
    """Certain tokens: three rows that end after one, three and no EOS; the EOS is kept."""
    after, order = chain(draw, 9)
    eos = order[8]
    ids = [[order[1], order[7]], [order[3], order[5]], [order[0], order[2]]]
    want = filled(ids, after, 4, eos)
    expect(student.greedy_decode(story(after), torch.tensor(ids), 4, eos)).equals(
        want,
        "A row's completion ends with its own first EOS, which is kept; the others go on, and a "
        "finished row is filled with the EOS.",
        mistakes={
            "The first EOS of one row stopped the whole batch.": want[:, :3],
            "Finished rows were filled with another token than the EOS.":
                filled(ids, after, 4, eos, filler=0),
            "Finished rows went on after their EOS.": filled(ids, after, 4, eos, ends=False),
            "max_new_tokens counts new tokens only, without the prompt.": want[:, :4],
        },
    )  # fmt: skip


@exercise("greedy_decode")
def test_nothing_is_computed_once_all_rows_have_ended(student: Student, draw: Draw):
    """Two rows that end after two and three tokens of ten; then all rows at once."""
    after, order = chain(draw, 8)
    eos = order[7]
    ids = torch.tensor([[order[5]], [order[4]]])
    want = torch.tensor([[order[5], order[6], eos, eos], [order[4], order[5], order[6], eos]])
    expect(student.greedy_decode(story(after), ids, 10, eos)).equals(
        want,
        "Stop when every row has its EOS: the result is as wide as the longest completion.",
        mistakes={
            "You always go on for max_new_tokens.":
                torch.cat([want, torch.full((2, 7), eos)], 1),
            "The EOS that ends the last row belongs to the completion: keep it.": want[:, :-1],
        },
    )  # fmt: skip
    ids = torch.tensor([[order[0], order[6]], [order[2], order[6]]])
    want = torch.tensor([[order[0], order[6], eos], [order[2], order[6], eos]])
    expect(student.greedy_decode(story(after), ids, 5, eos)).equals(
        want, "If the first new token is the EOS in every row, one token is all there is."
    )


@exercise("greedy_decode")
def test_an_eos_in_the_prompt_ends_nothing(student: Student, draw: Draw):
    """Prompts that contain the EOS, at the end too."""
    after, order = chain(draw, 9)
    eos = order[4]
    ids = [[eos, order[2], order[0]], [order[3], eos, eos], [order[1], order[7], order[2]]]
    want = filled(ids, after, 4, eos)
    expect(student.greedy_decode(story(after), torch.tensor(ids), 4, eos)).equals(
        want,
        "Only an EOS that the row produces ends it; in a prompt it is an ordinary token.",
    )


@exercise("greedy_decode")
def test_any_sizes_and_any_eos_will_do(student: Student, draw: Draw):
    """One prompt; one new token; a prompt longer than max_new_tokens; EOS 0 and the last id."""
    for eos in (0, 6):
        after, order = chain(draw, 7)
        start = order.index(eos) + 1
        row = [order[(start + i) % 7] for i in range(7)]  # ends with the EOS
        for prompt, steps in ((row[:1], 1), (row[:4], 2), (row[:2], 9)):
            want = torch.tensor([(row[:1] + row[1:])[: len(prompt) + steps]])
            expect(student.greedy_decode(story(after), torch.tensor([prompt]), steps, eos)).equals(
                want,
                "max_new_tokens counts new tokens, whatever the prompt's length, and any id may "
                "be the EOS.",
            )


@exercise("greedy_decode")
def test_long_completions_are_written_to_their_end(student: Student, draw: Draw):
    """Forty certain tokens after prompts of two; the EOS comes last, or does not come."""
    after, order = chain(draw, 43)
    ids = torch.tensor([[order[5], order[0]], [order[7], order[1]]])
    for eos in (order[40], order[42]):
        want = filled(ids.tolist(), after, 40, eos)
        expect(student.greedy_decode(story(after), ids, 40, eos)).equals(
            want, "Go on until every row has its EOS or max_new_tokens tokens, however many."
        )


@exercise("greedy_decode")
def test_the_largest_logit_counts_whatever_its_sign(student: Student, draw: Draw):
    """Certain tokens again, but all logits negative."""
    after, order = chain(draw, 6)
    llama = story_llama(after)
    llama.lm_head.weight -= 8.0
    ids = torch.tensor([[order[0]], [order[1]]])
    want = filled(ids.tolist(), after, 3, order[5])
    got = student.greedy_decode(crossing(llama, story_config(6)), ids, 3, order[5])
    expect(got).equals(want, "Take the argmax of the logits of the last position.")


# temperature_probs


def powers(probs: torch.Tensor, tau: float) -> torch.Tensor:
    """The definition: pi^(1/tau), normalised."""
    raised = probs ** (1 / tau)
    return raised / raised.sum(-1, keepdim=True)


@exercise("temperature_probs", weight=3)
def test_probabilities_are_raised_to_one_over_tau(student: Student, draw: Draw):
    """Temperatures below and above 1, and 1 itself, against powers of the probabilities."""
    for low, high in ((0.3, 0.45), (0.55, 0.8), (1.6, 3.0), (1.0, 1.0)):
        tau = float(draw.uniform(low, high))
        probs = draw.probs(2, 3, 5)
        logits = probs.log() + draw.normal(2, 3, 1)
        expect(student.temperature_probs(logits, tau)).close(
            powers(probs, tau),
            "The answer is softmax(logits / tau) over the last dimension, which is pi^(1/tau) "
            "normalised.",
            mistakes={
                "You multiplied by tau instead of dividing by it.": (logits * tau).softmax(-1),
                "The temperature has no effect: probabilities divided by tau and normalised are "
                "what they were.": probs,
                "The result is not normalised.": probs ** (1 / tau),
                "You returned logarithms of probabilities.": powers(probs, tau).log(),
                "You normalised over all rows together.":
                    (logits / tau).flatten().softmax(0).view(2, 3, 5),
            },
        )  # fmt: skip


@exercise("temperature_probs")
def test_each_row_is_a_distribution_of_its_own(student: Student, draw: Draw):
    """A single vector, a single row, and a square matrix."""
    for shape in ((4,), (1, 5), (4, 4)):
        probs = draw.probs(*shape)
        expect(student.temperature_probs(probs.log(), 0.6)).close(
            powers(probs, 0.6), "Normalise over the last dimension, whatever stands before it."
        )


@exercise("temperature_probs")
def test_a_constant_added_to_the_logits_changes_nothing(student: Student, draw: Draw):
    """Logits around 2000 in one row, around -2000 in the other; a whole number as temperature."""
    probs = draw.probs(2, 5)
    expect(student.temperature_probs(probs.log() + doubles(2000.0, -2000.0)[:, None], 2)).close(
        powers(probs, 2),
        "Large logits overflow exp, and very negative ones underflow: use softmax, or subtract "
        "each row's maximum first.",
    )


@exercise("temperature_probs")
def test_a_tiny_temperature_is_greedy_and_a_huge_one_uniform(student: Student, draw: Draw):
    """Temperature 0.001 with a winner that is only just ahead, and 1e9."""
    logits, winner = draw.uniform(-1, 1, 3, 6), []
    for row in logits:
        first, second = draw.sample(range(6), 2)
        row[first], row[second] = 13.05, 13.0
        winner.append(first)
    expect(student.temperature_probs(logits, 1e-3)).close(
        torch.eye(6, dtype=DOUBLE)[winner],
        "As tau goes to 0 everything goes to the most probable token; nothing may overflow or "
        "be clipped.",
    )
    expect(student.temperature_probs(draw.uniform(-1, 1, 6), 1e9)).close(
        torch.full((6,), 1 / 6, dtype=DOUBLE),
        "As tau grows the distribution becomes uniform: tau is not to be capped.",
        rtol=1e-7,
    )


@exercise("temperature_probs")
def test_tokens_that_are_ruled_out_stay_out(student: Student, draw: Draw):
    """Logits of minus infinity, at other places in each row."""
    probs = draw.probs(3, 5)
    for row in range(3):
        probs[row, draw.sample(range(5), row + 1)] = 0.0
    probs = probs / probs.sum(-1, keepdim=True)
    got = student.temperature_probs(probs.log(), 1.7)
    expect(got).close(powers(probs, 1.7), "A logit of -inf gives probability 0, not nan.")
    expect(got).true(bool((got[probs == 0] == 0).all()), "A logit of -inf gives exactly 0.")
    hot = student.temperature_probs(probs.log(), 1e6)
    expect(hot).close(
        (probs > 0).to(DOUBLE) / (probs > 0).sum(-1, keepdim=True),
        "A logit of -inf gives exactly 0 however hot it is: no large number stands in for it.",
        rtol=1e-4,
    )


@exercise("temperature_probs")
def test_single_precision_stays(student: Student, draw: Draw):
    """Logits in float32."""
    probs = draw.probs(2, 7)
    expect(student.temperature_probs(probs.log().float(), 0.8)).close(
        powers(probs, 0.8).float(), "The result has the dtype of the logits."
    )


# top_p_filter


def spread(draw: Draw, *shape: int, size: int = 7) -> torch.Tensor:
    """Rows of `size` clearly different probabilities in random order."""
    ladder = doubles(0.31, 0.22, 0.16, 0.12, 0.09, 0.06, 0.04, 0.021, 0.013)[:size]
    rows = [
        ladder[draw.shuffled(range(size))] * draw.uniform(0.97, 1.03, size)
        for _ in range(torch.Size(shape).numel())
    ]
    rows = torch.stack(rows).view(*shape, size)
    return rows / rows.sum(-1, keepdim=True)


def between(probs: torch.Tensor, kept: int) -> float:
    """A p that a row reaches with `kept` tokens, far from every running sum."""
    sums = probs.sort(descending=True).values.cumsum(-1)
    before = float(sums[kept - 2]) if kept > 1 else 0.0
    return (before + float(sums[kept - 1])) / 2


def nucleus(probs: torch.Tensor, p: float) -> torch.Tensor:
    """The smallest set that reaches p, by trying all subsets; renormalised."""
    best: tuple[int, float, tuple[int, ...]] | None = None
    for count in range(1, len(probs) + 1):
        for chosen in itertools.combinations(range(len(probs)), count):
            mass = float(probs[list(chosen)].sum())
            if mass >= p and (best is None or mass > best[1]):
                best = (count, mass, chosen)
        if best:
            break
    result = torch.zeros_like(probs)
    index = list(best[2])
    result[index] = probs[index] / probs[index].sum()
    return result


@exercise("top_p_filter", weight=3)
def test_the_smallest_set_that_reaches_p_is_kept(student: Student, draw: Draw):
    """Nuclei of two, four and five of seven tokens, against a search over all subsets."""
    for kept in (2, 4, 5):
        probs = spread(draw)
        p = between(probs, kept)
        want = nucleus(probs, p)
        ordered = probs.sort(descending=True)
        fewer = torch.where(probs > ordered.values[kept - 1], probs, 0.0)
        more = torch.where(probs >= ordered.values[kept], probs, 0.0)
        got = student.top_p_filter(probs, p)
        expect(got).close(
            want,
            "Sort, keep the smallest number of tokens whose sum is at least p, renormalise, and "
            "give each probability back to its own token.",
            mistakes={
                "The token that crosses p belongs to the nucleus: you dropped it.":
                    fewer / fewer.sum(),
                "You kept one token more than needed.": more / more.sum(),
                "You forgot to renormalise.": torch.where(want > 0, probs, 0.0),
                "The probabilities are in sorted order: undo the sort.": want[ordered.indices],
                "You kept the least probable tokens.":
                    nucleus(probs.max() + probs.min() - probs, p),
            },
        )  # fmt: skip
        expect(got).true(
            bool((got[want == 0] == 0).all()), "Outside the nucleus a probability is exactly 0."
        )


@exercise("top_p_filter")
def test_one_dominant_token_stays_alone(student: Student, draw: Draw):
    """p below the largest probability, and a very small p."""
    probs = spread(draw)
    want = torch.eye(7, dtype=DOUBLE)[int(probs.argmax())]
    for p in (float(probs.max()) * 0.8, 1e-6):
        expect(student.top_p_filter(probs, p)).close(
            want,
            "The nucleus is never empty: if one token has more than p, it alone is kept, with "
            "probability 1.",
        )


@exercise("top_p_filter", weight=2)
def test_with_p_one_every_token_is_kept(student: Student, draw: Draw):
    """p = 1; rows whose running sum misses 1 by rounding, a small probability, and floats."""
    short = spread(draw, 3)
    short[0, int(short[0].argmin())] = 1e-7
    short = short / short.sum(-1, keepdim=True) * (1 - 1e-9)
    expect(student.top_p_filter(short, 1.0)).close(
        short / short.sum(-1, keepdim=True),
        "With p = 1 nothing is removed, also when rounding leaves the running sum below 1: then "
        "no index reaches p.",
        rtol=1e-10,
        scale=1e-7 * 1e3,
    )
    rare = torch.cat([spread(draw) * (1 - 3e-12), doubles(1e-12, 2e-12)])
    got = student.top_p_filter(rare, 1.0)
    expect(got).tensor((9,), DOUBLE, "Return probabilities of the same shape and dtype.")
    expect(got).true(
        bool((got > 0).all()),
        "With p = 1 every token of positive probability is kept, however rare it is.",
    )
    tenth = torch.full((2, 10), 0.1, dtype=torch.float32)
    expect(student.top_p_filter(tenth, 1)).close(
        tenth, "With p = 1 nothing is removed, in float32 too."
    )


@exercise("top_p_filter")
def test_p_close_to_one_still_cuts(student: Student, draw: Draw):
    """Probabilities that fall by factors of ten; p = 0.995 and then closer and closer to 1."""
    probs = doubles(0.9, 0.09, 0.009, 9e-4, 9e-5, 9e-6, 1e-6)[draw.shuffled(range(7))]
    for kept in (3, 4, 5, 6):
        expect(student.top_p_filter(probs, 1 - 5 * 10.0**-kept)).close(
            nucleus(probs, 1 - 5 * 10.0**-kept),
            "Compare the running sum with p itself: only p = 1 keeps everything, and no margin is "
            "added to p or taken from it.",
            rtol=1e-10,
        )


@exercise("top_p_filter", weight=2)
def test_each_row_has_a_nucleus_of_its_own(student: Student, draw: Draw):
    """Batches, one of them square, of rows with nuclei of several sizes; transformers' filter."""
    for shape, size in (((6,), 6), ((2, 3), 9)):
        probs = torch.stack([
            spread(draw, size=size) if i % 2 else spread(draw, size=size) ** 3
            for i in range(torch.Size(shape).numel())
        ])  # fmt: skip
        probs = probs / probs.sum(-1, keepdim=True)
        sums = probs.sort(descending=True).values.cumsum(-1)
        p = next(
            p for p in (0.8 + 0.005 * i for i in range(30)) if float((sums - p).abs().min()) > 2e-3
        )
        want = TopPLogitsWarper(p)(None, probs.log()).softmax(-1)
        expect(student.top_p_filter(probs.view(*shape, size), p)).close(
            want.view(*shape, size),
            "Sort, cut and renormalise along the last dimension, each row for itself.",
        )


@exercise("top_p_filter")
def test_zeros_in_the_input_stay_zero(student: Student, draw: Draw):
    """Distributions that have been cut before, with p = 1 and with a smaller p."""
    probs = torch.cat([spread(draw, 2, size=5), torch.zeros(2, 3, dtype=DOUBLE)], 1)
    probs = probs[:, draw.shuffled(range(8))]
    expect(student.top_p_filter(probs, 1.0)).close(
        probs, "Tokens of probability 0 stay at 0, and nothing becomes nan."
    )
    p = between(probs[0], 3)
    expect(student.top_p_filter(probs[0], p)).close(
        nucleus(probs[0], p), "Tokens of probability 0 stay at 0, and nothing becomes nan."
    )


@exercise("top_p_filter")
def test_single_precision_and_a_large_vocabulary(student: Student, draw: Draw):
    """Three thousand tokens in float32."""
    probs = (draw.normal(2, 3000) * 2).softmax(-1)
    sums = probs.sort(descending=True).values.cumsum(-1)
    ps = (0.96 + 1e-5 * i for i in range(2000))
    p = next(p for p in ps if float((sums - p).abs().min()) > 1e-5)
    want = TopPLogitsWarper(p)(None, probs.log()).softmax(-1)
    expect(student.top_p_filter(probs.float(), p)).close(
        want.float(),
        "The result has the dtype of the probabilities, and any vocabulary size will do.",
    )


# sample_from


def sixteenths(*counts: int) -> torch.Tensor:
    """Probabilities in sixteenths, exact in binary."""
    return doubles(*counts) / 16


def first_above(counts, sixteenth: float) -> int:
    """First index whose running sum of whole counts is greater than u * 16."""
    sums = list(itertools.accumulate(counts))
    return next(i for i, total in enumerate(sums) if total > sixteenth)


@exercise("sample_from", weight=3)
def test_u_belongs_to_the_first_running_sum_above_it(student: Student, draw: Draw):
    """All sixteenths as u, and points between them, for probabilities in sixteenths."""
    counts = draw.shuffled([5, 0, 3, 1, 0, 7])
    grid = [i / 2 for i in range(32)]
    want = torch.tensor([first_above(counts, g) for g in grid])
    u = doubles(*grid) / 16
    at_least = torch.tensor([next(i for i, c in enumerate(itertools.accumulate(counts)) if c >= g)
                             for g in grid])  # fmt: skip
    expect(student.sample_from(sixteenths(*counts).expand(32, 6), u)).equals(
        want,
        "Return the first index whose cumulative sum is greater than u, as a long tensor.",
        mistakes={
            "A u that equals a cumulative sum belongs to the next token: it must be greater, "
            "not at least equal.": at_least,
            "You are one index too far.": want + 1,
            "You took the most probable token, whatever u is.":
                torch.full((32,), counts.index(7)),
            "You scaled the probabilities by u: that is no draw.":
                (sixteenths(*counts) * u[:, None]).argmax(-1),
        },
    )  # fmt: skip


@exercise("sample_from", weight=2)
def test_a_zero_never_draws_a_token_of_probability_zero(student: Student, draw: Draw):
    """u = 0, with one and with three impossible tokens in front."""
    for zeros in (1, 3):
        probs = torch.cat([torch.zeros(zeros, dtype=DOUBLE), draw.probs(4)])
        expect(student.sample_from(probs, torch.tensor(0.0, dtype=DOUBLE))).equals(
            torch.tensor(zeros),
            "With u = 0 the first token of positive probability is drawn: its cumulative sum is "
            "the first that is greater than 0.",
            mistakes={"You compare with at least: u = 0 must not draw a token of probability 0.":
                      torch.tensor(0)},
        )  # fmt: skip


@exercise("sample_from", weight=2)
def test_rounding_at_the_upper_end(student: Student, draw: Draw):
    """A u above the last cumulative sum, with and without impossible tokens at the end, behind
    a token of small probability."""
    for zeros in (0, 2):
        likely, small = draw.probs(2) * (1 - 3e-6), doubles(2e-7)
        probs = torch.cat([likely, small, torch.zeros(zeros, dtype=DOUBLE)]).float()
        u = torch.tensor(1 - 1e-7, dtype=DOUBLE)
        expect(student.sample_from(probs, u)).equals(
            torch.tensor(2),
            "If rounding leaves the last cumulative sum below u, draw the last token of positive "
            "probability.",
            mistakes={
                "The index lies outside the vocabulary.": torch.tensor(3 + zeros),
                "The last token may have been cut, and then it has probability 0.":
                    torch.tensor(2 + zeros),
                "Where no cumulative sum is greater than u, argmax of a comparison gives 0.":
                    torch.tensor(0),
            },
        )  # fmt: skip


@exercise("sample_from", weight=2)
def test_each_distribution_has_its_own_u(student: Student, draw: Draw):
    """Batches of shape [2, 3] and, square, [4]; the distributions differ."""
    for shape, size in (((2, 3), 5), ((4,), 4)):
        probs = draw.probs(*shape, size)
        tokens = draw.shuffled([i % size for i in range(torch.Size(shape).numel())])
        want = torch.tensor(tokens).view(shape)
        sums = probs.cumsum(-1)
        upper = sums.gather(-1, want[..., None])[..., 0]
        u = upper - probs.gather(-1, want[..., None])[..., 0] * draw.uniform(0.2, 0.8, *shape)
        got = student.sample_from(probs, u)
        expect(got).equals(
            want,
            "One token per distribution: row by row, with the u at the same place; long, and "
            "without the last dimension of probs.",
        )


@exercise("sample_from")
def test_no_precision_is_lost(student: Student, draw: Draw):
    """u a hair below and at a cumulative sum, in float64; and both dtypes mixed."""
    probs = sixteenths(*draw.choice([(4, 8, 4), (8, 4, 4), (2, 10, 4)]))
    edge = probs.cumsum(0)
    for index in (0, 1):
        hair = edge[index] - 1e-13
        expect([student.sample_from(probs, hair), student.sample_from(probs, edge[index])]).equals(
            [torch.tensor(index), torch.tensor(index + 1)],
            "Compare in the precision that you are given: u in float64 is not to be rounded.",
        )
    rare = torch.cat([doubles(0.0, 1e-12), draw.probs(2)])
    expect(student.sample_from(rare, torch.tensor(5e-13, dtype=DOUBLE))).equals(
        torch.tensor(1), "A small u draws a rare token at the start: nothing is to be clipped."
    )
    single = draw.probs(3).float()
    u = single.double().cumsum(0)[1] + single[2].double() / 2
    for mixed in ((single, u), (single.double(), u.float()), (single, u.float())):
        expect(student.sample_from(*mixed)).equals(
            torch.tensor(2), "Probabilities and u may have different floating dtypes."
        )


@exercise("sample_from")
def test_every_token_is_drawn_as_often_as_it_should(student: Student, draw: Draw):
    """A fine even grid of u: counts are exact; and a vocabulary of one."""
    counts = draw.shuffled([1, 6, 0, 4, 5])
    u = (torch.arange(320, dtype=DOUBLE) + 0.5) / 320
    got = student.sample_from(sixteenths(*counts).expand(320, 5), u[draw.shuffled(range(320))])
    expect(got).tensor((320,), torch.long, "Return a long tensor with one token per u.")
    expect([int((got == token).sum()) for token in range(5)]).equals(
        [20 * count for count in counts],
        "Over an even grid of u, each token must come as often as its probability says.",
    )
    expect(student.sample_from(torch.ones(2, 1, dtype=DOUBLE), doubles(0.0, 0.9))).equals(
        torch.tensor([0, 0]), "A vocabulary of one token has only that token to offer."
    )


# acceptance_probability


def pair(draw: Draw, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two distributions with ratios p/q clearly below and above 1."""
    q = draw.probs(size)
    ratios = doubles(0.3, 1.7, 0.6, 2.2, 0.45, 1.3)[:size]
    p = q * ratios[draw.shuffled(range(size))] * draw.uniform(0.95, 1.05, size)
    return p / p.sum(), q


@exercise("acceptance_probability", weight=2)
def test_the_ratio_of_target_to_draft_capped_at_one(student: Student, draw: Draw):
    """Every token of a pair of distributions."""
    p, q = pair(draw, 5)
    ratios = (p / q).tolist()
    for token, ratio in enumerate(ratios):
        expect(student.acceptance_probability(p, q, token)).close(
            min(1.0, ratio),
            "Accept with probability min(1, p(x) / q(x)).",
            mistakes={
                "The ratio is upside down: it is target over draft.": min(1.0, 1 / ratio),
                "A probability is at most 1: take the minimum.": ratio,
                "This is a probability, not a decision.": float(ratio >= 1),
            },
            scale=1.0,
            scalar=True,
        )


@exercise("acceptance_probability")
def test_a_token_that_the_target_never_writes(student: Student, draw: Draw):
    """p = 0 at the token; p = q everywhere."""
    q = draw.probs(4)
    token = draw.integer(0, 4)
    p = q.clone()
    p[token] = 0.0
    p = p / p.sum()
    expect(student.acceptance_probability(p, q, token)).close(
        0.0, "Where p = 0 the token is never accepted.", scale=1.0, scalar=True
    )
    expect(student.acceptance_probability(q, q, token)).close(
        1.0, "Where p = q the token is always accepted.", scalar=True
    )


@exercise("acceptance_probability")
def test_tiny_probabilities_have_a_ratio_too(student: Student, draw: Draw):
    """Probabilities around 1e-14 and 1e-200."""
    for size in (1e-14, 1e-200):
        half = float(draw.uniform(0.3, 0.7))
        p, q = doubles(half * size, 1.0), doubles(size, 1.0)
        expect(student.acceptance_probability(p, q, 0)).close(
            half,
            "Divide p by q as they are: a small number added to q, or a lower bound, changes the "
            "law of rare tokens.",
            scalar=True,
        )


# residual_distribution


@exercise("residual_distribution", weight=2)
def test_the_positive_part_is_normalised(student: Student, draw: Draw):
    """Pairs of distributions over two, four and six tokens."""
    for size in (2, 4, 6):
        p, q = pair(draw, size)
        excess = (p - q).clamp(min=0)
        lack = (q - p).clamp(min=0)
        expect(student.residual_distribution(p, q)).close(
            excess / excess.sum(),
            "The residual is the positive part of p - q, divided by its sum.",
            mistakes={
                "You took absolute values: where q is larger, nothing is missing.":
                    (p - q).abs() / (p - q).abs().sum(),
                "You did not normalise.": excess,
                "You exchanged p and q.": lack / lack.sum(),
                "A fresh draw from p brings back what the draft has too much of.": p,
                "You applied a softmax: the positive parts are divided by their sum.":
                    (p - q).softmax(0),
            },
        )  # fmt: skip


@exercise("residual_distribution")
def test_draft_and_target_may_have_zeros(student: Student, draw: Draw):
    """Disjoint supports, where the residual is p; then one zero of q beside other tokens."""
    a, b, zero = draw.probs(3), draw.probs(2), torch.zeros(3, dtype=DOUBLE)
    p, q = torch.cat([a, zero]), torch.cat([zero, zero[:1], b])
    expect(student.residual_distribution(p, q)).close(
        p, "If the draft never writes what the target wants, the residual is p itself."
    )
    a, b, c = (0.1 + draw.uniform(0, 0.02, 3)).tolist()
    order = draw.shuffled(range(4))
    p = doubles(0.3 + a, 0.2 + b, 0.5 - a - b, 0.0)[order]
    q = doubles(0.3, 0.0, 0.5 + c, 0.2 - c)[order]
    want = doubles(a, 0.2 + b, 0.0, 0.0)[order]
    expect(student.residual_distribution(p, q)).close(
        want / want.sum(),
        "Tokens that the draft never proposes are in the residual, with all of p.",
    )


@exercise("residual_distribution", weight=2)
def test_equal_distributions_leave_some_distribution(student: Student, draw: Draw):
    """p = q, with and without a zero."""
    for p in (draw.probs(4), torch.cat([draw.probs(3), torch.zeros(1, dtype=DOUBLE)])):
        got = student.residual_distribution(p, p.clone())
        fits = expect(got).tensor(
            p.shape, DOUBLE, "For p = q return a float64 tensor of the same shape, too."
        )
        expect(got).true(
            bool((fits >= 0).all()) and abs(float(fits.sum()) - 1) < 1e-9,
            "For p = q nothing is left and the formula says 0/0: return any distribution, "
            "without nan, with sum 1.",
        )


@exercise("residual_distribution")
def test_a_small_difference_is_still_normalised(student: Student, draw: Draw):
    """Two distributions that differ by about 1e-9."""
    p = draw.probs(5)
    shift = doubles(2.0, -3.0, 1.0, 4.0, -4.0)[draw.shuffled(range(5))] * 2.0**-30
    q = p - shift
    excess = (p - q).clamp(min=0)
    expect(student.residual_distribution(p, q)).close(
        excess / excess.sum(),
        "However close p and q are, divide by the sum itself: no small number is added to it, "
        "and only p = q is special.",
    )


# speculative_output_distribution


def odd_accept(p: torch.Tensor, q: torch.Tensor, token: int) -> float:
    """A wrong rule that tells p from q and one token from another."""
    return float(p[token] ** 2 / (p[token] ** 2 + 2 * q[token] ** 2)) / (1 + int(token) % 2)


def odd_residual(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """A wrong replacement that tells p from q."""
    raised = p**2 + 0.3 * q
    return raised / raised.sum()


def law(p, q, accept, residual) -> torch.Tensor:
    """The law of one token by listing (draft, accepted or replaced by)."""
    result = torch.zeros_like(p)
    replacement = residual(p, q)
    for drafted in range(len(p)):
        if q[drafted] > 0:
            chance = accept(p, q, drafted)
            result[drafted] += q[drafted] * chance
            for other in range(len(p)):
                result[other] += q[drafted] * (1 - chance) * replacement[other]
    return result


def right_accept(p, q, token):
    """The rule of the papers."""
    return min(1.0, float(p[token] / q[token]))


def right_residual(p, q):
    """The replacement of the papers."""
    return (p - q).clamp(min=0) / (p - q).clamp(min=0).sum()


@exercise("speculative_output_distribution", weight=2)
def test_the_two_rules_give_the_target(student: Student, draw: Draw):
    """No rules given, two pairs of distributions: the law is p to twelve digits."""
    for size in (3, 6):
        p, q = pair(draw, size)
        accepted = torch.minimum(p, q)
        residual = right_residual(p, q)
        expect(student.speculative_output_distribution(p, q)).close(
            p,
            "With the right rules the output has exactly the law p: accepted drafts, plus the "
            "mass of all rejections times the residual.",
            mistakes={
                "The residual must be weighted with the mass of the rejections.":
                    accepted + residual,
                "You counted accepted drafts only.": accepted,
                "You renormalised the accepted drafts instead of adding the replacements.":
                    accepted / accepted.sum(),
            },
            rtol=1e-12,
        )  # fmt: skip


@exercise("speculative_output_distribution", weight=2)
def test_a_wrong_replacement_shows(student: Student, draw: Draw):
    """A made-up replacement with the right acceptance."""
    p, q = pair(draw, 5)
    expect(student.speculative_output_distribution(p, q, None, odd_residual)).close(
        law(p, q, right_accept, odd_residual),
        "Use the replacement that was given: accepted mass, plus rejected mass times residual.",
        mistakes={"You ignored the rule that was given.": p},
    )


@exercise("speculative_output_distribution", weight=2)
def test_a_wrong_acceptance_shows(student: Student, draw: Draw):
    """A made-up acceptance with the right replacement, then both made up."""
    p, q = pair(draw, 5)
    expect(student.speculative_output_distribution(p, q, odd_accept)).close(
        law(p, q, odd_accept, right_residual),
        "Use the acceptance that was given, for each token: its drafts are kept with mass "
        "q(a) accept(p, q, a), and what is left of q is rejected.",
        mistakes={"You ignored the rule that was given.": p},
    )
    p, q = pair(draw, 4)
    got = student.speculative_output_distribution(p, q, accept=odd_accept, residual=odd_residual)
    expect(got).close(
        law(p, q, odd_accept, odd_residual),
        "The law is q(a) acc(a), plus the sum of q(b) (1 - acc(b)) over all b times res(a).",
    )


@exercise("speculative_output_distribution")
def test_tokens_that_are_never_drafted(student: Student, draw: Draw):
    """A draft with zeros, one of them where the target has a zero too; the rule watches."""
    p, q = pair(draw, 6)
    p[0] = q[0] = q[3] = 0.0
    order = draw.shuffled(range(6))
    p, q = (p / p.sum())[order], (q / q.sum())[order]
    expect(student.speculative_output_distribution(p, q)).close(
        p, "Where q = 0 there is nothing to accept, and 0/0 must not become nan."
    )
    rare = torch.cat([q * (1 - 1e-7), doubles(1e-7)])
    wide = torch.cat([p * 0.8, doubles(0.2)])
    expect(student.speculative_output_distribution(wide, rare, odd_accept, odd_residual)).close(
        law(wide, rare, odd_accept, odd_residual),
        "A token that is drafted very seldom is a draft, too: only q = 0 is left out.",
        rtol=1e-12,
    )
    asked: list[int] = []

    def watching(p: torch.Tensor, q: torch.Tensor, token: int) -> float:
        asked.append(int(token))
        return right_accept(p, q, token) if q[int(token)] > 0 else 1.0

    got = student.speculative_output_distribution(p, q, watching)
    expect(got).close(p, "The law of the output is p with the right acceptance, given as a rule.")
    expect(asked).true(
        all(q[token] > 0 for token in asked),
        "Ask accept only about tokens with q > 0: the draft never proposes the others.",
    )


@exercise("speculative_output_distribution")
def test_a_perfect_and_a_hopeless_draft(student: Student, draw: Draw):
    """p = q; then disjoint supports; then a rule that accepts everything."""
    p, q = pair(draw, 4)
    zero = torch.zeros(4, dtype=DOUBLE)
    expect(student.speculative_output_distribution(p, p.clone())).close(
        p, "If p = q everything is accepted, and the law is p."
    )
    expect(student.speculative_output_distribution(p, p.clone(), odd_accept, odd_residual)).close(
        law(p, p, odd_accept, odd_residual), "If p = q, the rules that were given still count."
    )
    left, right = torch.cat([p, zero]), torch.cat([zero, q])
    expect(student.speculative_output_distribution(left, right)).close(
        left, "If nothing is ever accepted, all tokens are replacements, and the law is still p."
    )
    expect(student.speculative_output_distribution(p, q, lambda p, q, a: 1.0)).close(
        q, "A rule that accepts everything gives the law of the draft."
    )
    expect(student.speculative_output_distribution(p, q, lambda p, q, a: 0.0, odd_residual)).close(
        odd_residual(p, q), "A rule that rejects everything gives the law of the replacement."
    )


# speculative_step


def as_prefix(prefix) -> tuple[int, ...]:
    """What the student passed, as a tuple of ints."""
    return tuple(int(token) for token in prefix)


def certain(tokens: list[int], start: tuple[int, ...], size: int, off: int):
    """A model that continues `start` with `tokens` for sure, and says `off` elsewhere."""

    def fn(prefix) -> torch.Tensor:
        place = len(as_prefix(prefix)) - len(start)
        known = 0 <= place < len(tokens)
        on_track = known and as_prefix(prefix) == (*start, *tokens[:place])
        probs = torch.zeros(size, dtype=DOUBLE)
        probs[tokens[place] if on_track else off] = 1.0
        return probs

    return fn


def story_of_drafts(draw: Draw, gamma: int):
    """A prefix, gamma + 1 different tokens and one more, out of a vocabulary that fits."""
    tokens = draw.sample(range(gamma + 3), gamma + 3)
    return tuple(draw.integers(0, gamma + 3, draw.integer(1, 4)).tolist()), tokens


@exercise("speculative_step", weight=2)
def test_all_accepted_and_a_bonus(student: Student, draw: Draw):
    """Certain models that agree on gamma tokens, or on one more, for several gamma."""
    for gamma, guesses in itertools.product((1, 3, 5), (0, 1)):
        prefix, tokens = story_of_drafts(draw, gamma)
        tokens, off = tokens[: gamma + 1], tokens[-1]
        draft = certain(tokens[: gamma + guesses], prefix, gamma + 3, off)
        target = certain(tokens, prefix, gamma + 3, off)
        got = student.speculative_step(prefix, draft, target, gamma, draw.generator())
        expect(got).equals(
            tokens,
            "If all gamma drafts are accepted, the step returns them and a bonus token of the "
            "target after the last one, as a list without the prefix.",
            mistakes={
                "There is no bonus token.": tokens[:-1],
                "The bonus comes from the target after all drafts, not from the draft model.":
                    [*tokens[:-1], off],
                "The prefix is not part of the result.": [*prefix, *tokens],
            },
        )  # fmt: skip


@exercise("speculative_step", weight=2)
def test_the_first_rejection_ends_the_step(student: Student, draw: Draw):
    """Certain models that agree for a while: the step ends with the target's own token."""
    for gamma, agreed in ((4, 0), (4, 2), (1, 0), (4, 3), (5, 4)):
        prefix, tokens = story_of_drafts(draw, gamma)
        wanted, off = tokens[gamma + 1], tokens[-1]
        draft = certain(tokens[:gamma], prefix, gamma + 3, off)
        target = certain([*tokens[:agreed], wanted], prefix, gamma + 3, off)
        got = student.speculative_step(prefix, draft, target, gamma, draw.generator())
        want = [*tokens[:agreed], wanted]
        expect(got).equals(
            want,
            "At the first rejection return the accepted drafts and one replacement; drafts "
            "behind it belong to a text that no longer exists.",
            mistakes={
                "The rejected draft was kept.": [*want[:-1], tokens[agreed]],
                "There is no replacement after the rejection.": want[:-1],
                "After a rejection there is no bonus token.": [*want, off],
                "Drafts behind the rejection were kept.":
                    [*want, *tokens[agreed + 1 : gamma]],
                "You went on to test the drafts behind the rejection.":
                    [*want, *[off] * (gamma - agreed)],
            },
        )  # fmt: skip


def tables(draw: Draw, size: int):
    """Target and draft that depend on the last token, with clearly different rows."""
    ps, qs = zip(*(pair(draw, size) for _ in range(size)), strict=True)
    return torch.stack(ps), torch.stack(qs)


def step_law(p_of, q_of, prefix, gamma: int, size: int) -> dict[tuple[int, ...], float]:
    """Exact probability of every outcome of a step."""
    outcomes: dict[tuple[int, ...], float] = {}

    def walk(done: tuple[int, ...], chance: float) -> None:
        p = p_of((*prefix, *done))
        if len(done) == gamma:
            last = p
        else:
            q = q_of((*prefix, *done))
            kept = torch.minimum(p, q)
            last = (p - q).clamp(min=0)
            for token in range(size):
                if kept[token] > 0:
                    walk((*done, token), chance * float(kept[token]))
        for token in range(size):
            if last[token] > 0:
                outcomes[(*done, token)] = chance * float(last[token])

    walk((), 1.0)
    return outcomes


def tokens_of(got) -> tuple[int, ...]:
    """The tokens of a step, after a look at what they are."""
    fits = isinstance(got, list | tuple) and all(type(token) is int for token in got)
    expect(got).true(fits and len(got) > 0, "Return a list of ints, at least one.")
    return tuple(got)


def counts_of(student: Student, prefix, draft, target, gamma: int, seeds) -> dict:
    """How often each outcome occurs, one call per seed."""
    counts: dict[tuple[int, ...], int] = {}
    for seed in seeds:
        got = student.speculative_step(
            prefix, draft, target, gamma, torch.Generator().manual_seed(seed)
        )
        outcome = tokens_of(got)
        counts[outcome] = counts.get(outcome, 0) + 1
    return counts


def too_far(count: int, n: int, chance: float) -> bool:
    """Whether a binomial count lies in a tail of probability below 1e-10."""
    law = torch.distributions.Binomial(n, torch.tensor(chance, dtype=DOUBLE))
    counts = torch.arange(n + 1, dtype=DOUBLE)
    tail = counts >= count if count > n * chance else counts <= count
    return float(law.log_prob(counts)[tail].exp().sum()) < 1e-10


def seeds(draw: Draw, n: int) -> list[int]:
    """n different seeds."""
    start = draw.integer(0, 2**30)
    return [start + 7919 * i for i in range(n)]


@exercise("speculative_step", weight=3)
def test_only_outcomes_that_can_happen_occur(student: Student, draw: Draw):
    """3,000 steps of two drafts with p/q = .3: all possible outcomes occur, and no others."""
    keep, one, two, three = draw.sample(range(4), 4)
    likes, bonus = torch.zeros(4, dtype=DOUBLE), torch.zeros(4, dtype=DOUBLE)
    likes[[keep, one, two]] = doubles(0.3, 0.35, 0.35)
    bonus[[keep, three]] = 0.5
    only = torch.eye(4, dtype=DOUBLE)[keep]
    q, p = torch.stack([only, only]), torch.stack([likes, likes, bonus])
    steps = [tokens_of(step) for step in student.many_steps(q, p, 3000, draw.generator())]
    possible = {
        (one,): 0.35,
        (two,): 0.35,
        (keep, one): 0.105,
        (keep, two): 0.105,
        (keep, keep, keep): 0.045,
        (keep, keep, three): 0.045,
    }
    expect(steps).true(
        set(steps) <= set(possible),
        "A draft that the target likes less is kept or replaced by what the target has in excess, "
        "never by the same token: the replacement comes from the residual of p and q.",
    )
    expect(steps).true(
        set(steps) == set(possible),
        "A step can be stopped at each of its drafts, or at none, replacements and bonus are "
        "drawn, and every decision needs a random number of its own.",
    )
    # One after the other, the decisions of all steps are independent.
    decisions = [kept for step in steps for kept in ((0,), (1, 0), (1, 1))[len(step) - 1]][:3700]
    expect(decisions).true(
        not too_far(sum(decisions), len(decisions), 0.3),
        "A draft with p/q = .3 is accepted in three cases out of ten: accept with min(1, p/q) as "
        "it is.",
    )
    expect(steps).true(
        not any(too_far(steps.count(y), 3000, chance) for y, chance in possible.items()),
        "Every decision and every draw needs a random number of its own.",
    )


@exercise("speculative_step", weight=3)
def test_the_outcomes_have_the_exact_law(student: Student, draw: Draw):
    """Two drafts; models that depend on the last token: 300 steps against their exact law."""
    a, b, c = draw.shuffled(range(3))
    p, q = torch.zeros(3, 3, dtype=DOUBLE), torch.zeros(3, 3, dtype=DOUBLE)
    for row, likes, drafts in ((c, 0.28, 0.5), (a, 0.5, 0.1), (b, 0.6, 0.5)):
        p[row, [a, b]] = doubles(likes, 1 - likes)
        q[row, [a, b]] = doubles(drafts, 1 - drafts)

    def target(prefix) -> torch.Tensor:
        return p[as_prefix(prefix)[-1]]

    def draft(prefix) -> torch.Tensor:
        return q[as_prefix(prefix)[-1]]

    exact = step_law(target, draft, (c,), 2, 3)
    counts = counts_of(student, (c,), draft, target, 2, seeds(draw, 300))
    message = (
        "The outcomes of many steps do not have the law of the algorithm: accept with "
        "min(1, p/q), a fresh random number for each decision, replacements from the residual, "
        "target and draft asked after the same prefix."
    )
    expect(counts).true(set(counts) <= set(exact), message)
    for group in (lambda y: y[0], len, lambda y: (y[0], len(y)), lambda y: y):
        for value in {group(y) for y in exact}:
            count = sum(n for y, n in counts.items() if group(y) == value)
            chance = sum(weight for y, weight in exact.items() if group(y) == value)
            expect(counts).true(not too_far(count, 300, chance), message)


def long_tailed(likely: float, tail: float, size: int) -> torch.Tensor:
    """One likely token, a crowd of equal ones, and a tail of a fifth of the tokens."""
    rare = size // 5
    crowd = torch.full((size - 1 - rare,), (1 - likely - tail) / (size - 1 - rare), dtype=DOUBLE)
    return torch.cat([doubles(likely), crowd, torch.full((rare,), tail / rare, dtype=DOUBLE)])


@exercise("speculative_step", weight=2)
def test_no_law_is_bent(student: Student, draw: Draw):
    """2,000 steps of one draft in a vocabulary of 128: groups of outcomes against their law.

    The draft has 64 tokens, of which the target likes a few as much and most hardly at all; the
    residual lives on the other 64, and the bonus has a long tail.
    """
    gone, liked = 1 / 500, 0.97  # p/q of the tokens that are hardly liked, or a little less
    q = torch.cat([long_tailed(0.4, 0.25, 64), torch.zeros(64, dtype=DOUBLE)])
    kept = q * torch.cat([doubles(1.0), torch.full((51,), gone), torch.full((76,), liked)])
    replaced = torch.cat([torch.zeros(64, dtype=DOUBLE), long_tailed(0.5, 0.08, 64)])
    first = kept + (1 - kept.sum()) * replaced
    bonus = long_tailed(0.5, 0.06, 128)
    order = torch.tensor(draw.shuffled(range(128)))
    got = student.many_steps(q[order][None], torch.stack([first, bonus])[:, order], 2000,
                             draw.generator())  # fmt: skip
    steps = [[order[token].item() for token in tokens_of(step)] for step in got]
    seen = [(len(step), *step) for step in steps]
    message = (
        "Over very many steps the outcomes do not have the law of the algorithm: drafts come from "
        "q, acceptance is min(1, p/q), replacements come from the whole residual and the bonus "
        "from the whole p, none of them sharpened, cut or smoothed."
    )
    expect({len(step) for step in steps}).equals({1, 2}, message)
    for length, tokens, weights in (
        (2, range(1), kept),
        (2, range(1, 52), kept),
        (2, range(52, 64), kept),
        (1, range(64), first - kept),
        (1, range(64, 65), first - kept),
        (1, range(65, 116), first - kept),
        (1, range(116, 128), first - kept),
    ):
        count = sum(each[0] == length and each[1] in tokens for each in seen)
        chance = float(weights[list(tokens)].sum().clamp(min=1e-15))
        expect(seen).true(not too_far(count, 2000, chance), message)
    last = [step[1] for step in steps if len(step) == 2]
    for tokens in (range(1), range(1, 103), range(103, 128)):
        count = sum(token in tokens for token in last)
        expect(seen).true(not too_far(count, len(last), float(bonus[list(tokens)].sum())), message)


@exercise("speculative_step")
def test_drafts_are_drawn_from_the_draft_model(student: Student, draw: Draw):
    """Draft and target agree on a law that depends on the last token: one step of 240 tokens."""
    table = torch.stack([doubles(0.5, 0.5, 0.0), doubles(0.0, 0.5, 0.5), doubles(0.5, 0.0, 0.5)])
    seen: list[tuple[int, ...]] = []

    def both(prefix) -> torch.Tensor:
        seen.append(as_prefix(prefix))
        return table[seen[-1][-1]]

    got = student.speculative_step((1, 0), both, both, 240, draw.generator())
    tokens = tokens_of(got)
    expect(got).true(
        len(tokens) == 241,
        "If p = q, all drafts are accepted, whatever gamma is, and a bonus token follows.",
    )
    text = [0, *tokens]
    steps = [(b - a) % 3 for a, b in itertools.pairwise(text)]
    expect(steps).true(
        set(steps) <= {0, 1} and not too_far(sum(steps), 241, 0.5),
        "Each draft is drawn from q after the prefix and the drafts before it.",
    )
    expect(seen).true(
        all(prefix[:2] == (1, 0) for prefix in seen),
        "Both models are asked about the whole text: the prefix, then the new tokens.",
    )


@exercise("speculative_step")
def test_the_generator_is_the_only_source_of_chance(student: Student, draw: Draw):
    """The same generator twice, with another global seed; then other generators."""
    flat = torch.full((8,), 1 / 8, dtype=DOUBLE)
    peak = draw.probs(8)
    results = []
    for seed in seeds(draw, 12):
        student.seed, other = 1, torch.Generator().manual_seed(seed)
        one = student.speculative_step((3,), lambda _: flat, lambda _: peak, 3, other)
        student.seed, other = 2, torch.Generator().manual_seed(seed)
        two = student.speculative_step((3,), lambda _: flat, lambda _: peak, 3, other)
        expect(two).equals(
            one,
            "The same generator must give the same tokens: draw every random number from it, "
            "not from torch's global state.",
        )
        results.append(tokens_of(one))
    expect(results).true(
        any(each != results[0] for each in results),
        "Other generators must give other tokens: do not seed it, or one of your own.",
    )


@exercise("speculative_step")
def test_prefixes_of_any_length_and_no_special_token(student: Student, draw: Draw):
    """An empty prefix, a long one, and a token that occurs again and again."""
    for length, token in ((0, 0), (30, 1), (2, 4)):
        prefix = tuple(draw.integers(0, 5, length).tolist())
        surely = certain([token] * 5, prefix, 5, token)
        got = student.speculative_step(prefix, surely, surely, 4, draw.generator())
        expect(got).equals(
            [token] * 5, "A prefix may be empty, and no token ends a step: the caller sees to that."
        )
