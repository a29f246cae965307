"""Section 6 of 02_transformer. From vectors to the distribution of the next token."""

import math

import torch
import torch.nn.functional as F

from autograder.suite import Draw, Student, exercise, expect, model
from sft2rl.models import TabularLM

# lm_logits

HEAD = "Logits are h @ W_U at every position, [..., V], not normalised."


@exercise("lm_logits", weight=3)
def test_raw_logits_at_every_position(student: Student, draw: Draw):
    """A batch of hidden vectors."""
    h, W_U = 2 * draw.normal(3, 4, 5), draw.normal(5, 9)
    want = torch.einsum("btd,dv->btv", h, W_U)
    expect(student.lm_logits(h, W_U)).close(
        want,
        HEAD,
        mistakes={
            "Probabilities are returned: leave the softmax to the caller.": want.softmax(-1),
            "Log-probabilities are returned: logits are not normalised.": want.log_softmax(-1),
            "Only the last position is returned; training needs all of them.": want[:, -1],
            "Only the last position is returned; training needs all of them. ": want[:, -1:],
            "h is normalised once more; that has been done already.": F.layer_norm(h, (5,)) @ W_U,
            "The logits are divided by sqrt(d).": want / math.sqrt(5),
        },
    )


@exercise("lm_logits")
def test_a_square_head(student: Student, draw: Draw):
    """As many words as features."""
    h, W_U = draw.normal(2, 3, 4), draw.normal(4, 4)
    expect(student.lm_logits(h, W_U)).close(
        torch.einsum("btd,dv->btv", h, W_U),
        f"W_U is [d, V]. {HEAD}",
        mistakes={"W_U is transposed; it is [d, V] already.": h @ W_U.T},
    )


@exercise("lm_logits")
def test_leading_dimensions_and_dtype_of_logits(student: Student, draw: Draw):
    """One vector, one text, four dimensions, all of them large; float32 and bfloat16."""
    W_U = draw.normal(5, 7)
    for lead in ((), (3,), (1, 4), (2, 1, 3)):
        h = 1e6 * draw.normal(*lead, 5)
        expect(student.lm_logits(h, W_U)).close(torch.matmul(h, W_U), HEAD)
    h = draw.normal(2, 5)
    for dtype, rtol in ((torch.float32, 1e-5), (torch.bfloat16, 6e-2)):
        expect(student.lm_logits(h.to(dtype), W_U.to(dtype))).close(
            (h @ W_U).to(dtype), f"The logits have the dtype of h. {HEAD}", rtol=rtol
        )


@exercise("lm_logits")
def test_gradients_of_the_head(student: Student, draw: Draw):
    """Derivatives with respect to hidden vectors and head."""
    h, W_U, pull = draw.normal(2, 3, 5), draw.normal(5, 7), draw.normal(2, 3, 7)
    got = student.grad("lm_logits", h, W_U, wrt=(0, 1), cotangent=pull)
    message = "Gradients must reach h and W_U, which may be the token table: nothing is detached."
    expect(got.grads[0]).close(pull @ W_U.T, message)
    expect(got.grads[1]).close(torch.einsum("btd,btv->dv", h, pull), message)


# next_token_distribution


def prefix_table(draw: Draw, V: int = 4, context: int = 6):
    """A model with free logits for every prefix; what crosses is a function of ids."""
    here = TabularLM(V, context)
    here.table.data = draw.normal(*here.table.shape)

    def call(ids):
        if ids.dtype != torch.long:
            raise TypeError("ids are torch.long")
        if int(ids.min()) < 0 or int(ids.max()) >= V:
            raise IndexError("there is no such id")
        with torch.no_grad():
            return here(ids).logits

    return here, call


def padded(draw: Draw, V: int, T: int, layout: list[tuple[int, int]]):
    """ids [B, T], mask, and the real tokens: (pads on the left, real tokens) per row."""
    ids, mask = draw.integers(0, V, len(layout), T), torch.zeros(len(layout), T, dtype=torch.long)
    for row, (left, real) in enumerate(layout):
        mask[row, left : left + real] = 1
    return ids, mask, [row[keep.bool()] for row, keep in zip(ids, mask, strict=True)]


def after(call, texts) -> torch.Tensor:
    """[B, V] softmax after each text, one text at a time, without padding."""
    return torch.stack([call(text[None])[0, -1].softmax(-1) for text in texts])


NEXT = "The softmax of the logits at the last real token, as if the row had no padding."


def wrong_next(call, ids, mask) -> dict[str, torch.Tensor]:
    """Mistake -> the probabilities that it gives."""
    logits, rows = call(ids), torch.arange(len(ids))
    last = mask.shape[1] - 1 - mask.flip(1).argmax(1)
    return {
        "The last position is taken, whether it is padding or not.": logits[:, -1].softmax(-1),
        "The number of real tokens is taken as the position: that is right only without padding on "
        "the left.": logits[rows, mask.sum(1) - 1].softmax(-1),
        "The tokens see the padding before them: bring the real tokens to the front.":
            logits[rows, last].softmax(-1),
        "The position after the last real token is taken.":
            logits[rows, (last + 1).clamp(max=mask.shape[1] - 1)].softmax(-1),
        "The mean over the real positions is taken.":
            ((logits * mask[..., None]).sum(1) / mask.sum(1)[:, None]).softmax(-1),
    }  # fmt: skip


@exercise("next_token_distribution", weight=3)
def test_padding_on_the_right(student: Student, draw: Draw):
    """Texts of several lengths, padded on the right."""
    _, call = prefix_table(draw)
    ids, mask, texts = padded(draw, 4, 6, draw.shuffled([(0, 3), (0, 6), (0, 1), (0, 4)]))
    expect(student.next_token_distribution(call, ids, mask)).close(
        after(call, texts), NEXT, mistakes=wrong_next(call, ids, mask)
    )


@exercise("next_token_distribution", weight=3)
def test_padding_on_the_left(student: Student, draw: Draw):
    """The same on the left."""
    _, call = prefix_table(draw)
    ids, mask, texts = padded(draw, 4, 6, draw.shuffled([(3, 3), (0, 6), (5, 1), (2, 4)]))
    expect(student.next_token_distribution(call, ids, mask)).close(
        after(call, texts), NEXT, mistakes=wrong_next(call, ids, mask)
    )


@exercise("next_token_distribution", weight=2)
def test_padding_on_both_sides_of_some_rows(student: Student, draw: Draw):
    """One batch with padding left, right, on both sides and not at all."""
    _, call = prefix_table(draw)
    layout = draw.shuffled([(1, 3), (0, 6), (4, 2), (0, 2), (2, 2)])
    ids, mask, texts = padded(draw, 4, 6, layout)
    expect(student.next_token_distribution(call, ids, mask)).close(
        after(call, texts),
        f"Lengths and sides differ from row to row. {NEXT}",
        mistakes=wrong_next(call, ids, mask),
    )


@exercise("next_token_distribution")
def test_masks_of_every_dtype_and_a_single_text(student: Student, draw: Draw):
    """bool, int32 and float masks; one row, one token."""
    _, call = prefix_table(draw)
    ids, mask, texts = padded(draw, 4, 5, [(1, 3), (0, 2), (0, 5)])
    for dtype in (torch.bool, torch.int32, torch.float32, torch.float64):
        expect(student.next_token_distribution(call, ids, mask.to(dtype))).close(
            after(call, texts), f"The mask may be bool, integer or floating. {NEXT}"
        )
    for T, layout in ((1, [(0, 1)]), (4, [(2, 1)]), (4, [(0, 4)])):
        ids, mask, texts = padded(draw, 4, T, layout)
        expect(student.next_token_distribution(call, ids, mask)).close(
            after(call, texts), f"A single row keeps its dimension, [1, V]. {NEXT}"
        )


@exercise("next_token_distribution")
def test_large_logits_and_float32(student: Student, draw: Draw):
    """Logits of many hundreds, and a model in float32."""
    _, call = prefix_table(draw)
    ids, mask, texts = padded(draw, 4, 5, [(1, 3), (0, 2), (0, 5)])

    def large(ids):
        return 900 + 40 * call(ids)

    def single(ids):
        return call(ids).float()

    expect(student.next_token_distribution(large, ids, mask)).close(
        after(large, texts), "Large logits: use softmax, exp alone overflows."
    )
    expect(student.next_token_distribution(single, ids, mask)).close(
        after(single, texts), "The probabilities have the dtype of the logits."
    )


@exercise("next_token_distribution", weight=2)
def test_models_that_return_an_object(student: Student, draw: Draw):
    """A model whose output holds the logits as an attribute."""
    here, call = prefix_table(draw)
    crossing = model(
        "sft2rl.models.TabularLM", {"vocab_size": 4, "context": 6}, {"table": here.table.data}
    )
    ids, mask, texts = padded(draw, 4, 6, draw.shuffled([(3, 3), (0, 4), (1, 4)]))
    expect(student.next_token_distribution(crossing, ids, mask)).close(
        after(call, texts),
        f"A model may return an object with the attribute logits. {NEXT}",
        mistakes=wrong_next(call, ids, mask),
    )
