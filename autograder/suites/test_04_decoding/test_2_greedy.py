"""Section 2 of 04_decoding. Greedy decoding."""

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from autograder.suite import Draw, Student, exercise, expect, model
from sft2rl.checks.decoding import story_config, story_llama

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
        certain = story(after)
        for prompt, steps in ((row[:1], 1), (row[:4], 2), (row[:2], 9)):
            want = torch.tensor([(row[:1] + row[1:])[: len(prompt) + steps]])
            expect(student.greedy_decode(certain, torch.tensor([prompt]), steps, eos)).equals(
                want,
                "max_new_tokens counts new tokens, whatever the prompt's length, and any id may "
                "be the EOS.",
            )


@exercise("greedy_decode")
def test_long_completions_are_written_to_their_end(student: Student, draw: Draw):
    """Forty certain tokens after prompts of two; the EOS comes last, or does not come."""
    after, order = chain(draw, 43)
    ids = torch.tensor([[order[5], order[0]], [order[7], order[1]]])
    certain = story(after)
    for eos in (order[40], order[42]):
        want = filled(ids.tolist(), after, 40, eos)
        expect(student.greedy_decode(certain, ids, 40, eos)).equals(
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
