"""Section 5 of 03_rope. From the half-split to the interleaved layout."""

import copy
from unittest import mock

import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama import modeling_llama

from autograder.suite import Draw, Student, exercise, expect

from .oracles import F64, angle_rows, inverse_of, turned


def interleaved_order(n_heads, d_head):
    """Old row numbers in their new order, one row at a time."""
    order = []
    for h in range(n_heads):
        for i in range(d_head // 2):
            order += [h * d_head + i, h * d_head + i + d_head // 2]
    return order


ROW_MISTAKES = {
    "inverse": "This is the opposite permutation, from interleaved to half-split.",
    "across": "You reordered across heads: the reordering happens inside each head.",
    "swapped": "The two rows of each pair are swapped: first old row i, then old row i + d_head/2.",
    "columns": "You reordered the columns: the outputs of a projection are its rows.",
    "nothing": "Nothing was reordered.",
    "width": "n_heads is the number of heads, not the width of one.",
}


def row_mistakes(w, n_heads):
    n = w.shape[0]
    d_head = n // n_heads
    order = interleaved_order(n_heads, d_head)
    values = {
        "inverse": w[inverse_of(order)],
        "across": w[interleaved_order(1, n)],
        "swapped": w[torch.tensor(order).view(-1, 2).flip(-1).flatten()],
        "nothing": w,
    }
    if n_heads % 2 == 0:
        values["width"] = w[interleaved_order(d_head, n_heads)]
    if w.ndim == 2 and w.shape[1] == n:
        values["columns"] = w[:, order]
    return {ROW_MISTAKES[name]: value for name, value in values.items()}


@exercise("half_to_interleaved", weight=2)
def test_rows_are_reordered_inside_each_head(student: Student, draw: Draw):
    """A square weight with several heads, row by row."""
    n_heads, d_head = draw.choice([2, 6]), draw.choice([8, 12])
    w = draw.normal(n_heads * d_head, n_heads * d_head)
    expect(student.half_to_interleaved(w, n_heads)).equals(
        w[interleaved_order(n_heads, d_head)],
        "Inside each head, row 2i is old row i and row 2i + 1 is old row i + d_head/2.",
        mistakes=row_mistakes(w, n_heads),
    )


@exercise("half_to_interleaved")
def test_any_width_of_model_and_any_dtype(student: Student, draw: Draw):
    """More columns than rows and fewer, one head and several, wide heads, floats and integers."""
    for n_heads, d_head, d_model, dtype in [
        (3, 6, draw.integer(25, 40), torch.float32),
        (4, 10, draw.integer(3, 9), torch.bfloat16),
        (1, 8, draw.integer(9, 20), torch.float64),
        (2, 64, draw.integer(5, 9), torch.int8),
    ]:
        w = (20 * draw.normal(n_heads * d_head, d_model)).clamp(-127, 127).to(dtype)
        got = student.half_to_interleaved(w, n_heads)
        expect(got).tensor(w.shape, dtype, "The result has the shape and dtype of w.")
        expect(got).equals(
            w[interleaved_order(n_heads, d_head)],
            "The weight is [n_heads * d_head, d_model]: d_model may be anything, and values are "
            "copied as they are.",
            mistakes=row_mistakes(w, n_heads),
        )


@exercise("half_to_interleaved")
def test_heads_of_any_number_and_width(student: Student, draw: Draw):
    """48 rows as 2, 3, 12 and 24 heads, 3 heads of width 128; one column; biases in float16."""
    for n_heads, d_head in ((2, 24), (3, 16), (12, 4), (24, 2), (3, 128)):
        for w in (draw.normal(n_heads * d_head, 1), draw.normal(n_heads * d_head).half()):
            expect(student.half_to_interleaved(w, n_heads)).close(
                w[interleaved_order(n_heads, d_head)],
                "The order follows from n_heads and the number of rows of this call, whatever they "
                "are; weights and biases keep shape and dtype.",
                mistakes=row_mistakes(w, n_heads),
            )


@exercise("half_to_interleaved")
def test_biases_are_reordered_like_weights(student: Student, draw: Draw):
    """The one-dimensional bias of a projection."""
    n_heads, d_head = draw.integer(2, 5), draw.choice([6, 8, 10])
    b = draw.normal(n_heads * d_head)
    expect(student.half_to_interleaved(b, n_heads)).equals(
        b[interleaved_order(n_heads, d_head)],
        "The bias [n_heads * d_head] is reordered like the rows of the weight.",
        mistakes=row_mistakes(b, n_heads),
    )


def turned_like_the_course(q, k, cos, sin, unsqueeze_dim=1):
    """Takes the place of transformers' rotation: interleaved, positions 0, 1, ..."""
    angles = angle_rows(range(q.shape[-2]), q.shape[-1], 10_000.0)
    return turned(q, angles), turned(k, angles)


@exercise("half_to_interleaved", weight=2)
def test_a_converted_llama_keeps_its_logits(student: Student, draw: Draw):
    """A tiny Llama with grouped queries, before and after the conversion of its q and k rows."""
    d_head = draw.choice([8, 10])
    config = LlamaConfig(
        vocab_size=19,
        hidden_size=40,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=d_head,
        attn_implementation="eager",
    )
    model = LlamaForCausalLM(config).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.4 * draw.normal(*parameter.shape))
        input_ids = draw.integers(0, 19, 2, 9)
        logits = model(input_ids).logits
        converted, inverse = copy.deepcopy(model), copy.deepcopy(model)
        for new, back in zip(converted.model.layers, inverse.model.layers, strict=True):
            for name, n_heads in (("q_proj", 4), ("k_proj", 2)):
                old = getattr(new.self_attn, name).weight
                got = student.half_to_interleaved(old.detach().clone(), n_heads)
                expect(got).tensor(old.shape, F64, "The result has the shape and dtype of w.")
                old.copy_(got)
                order = inverse_of(interleaved_order(n_heads, d_head))
                other = getattr(back.self_attn, name).weight
                other.copy_(other[order].clone())
        with mock.patch.object(modeling_llama, "apply_rotary_pos_emb", turned_like_the_course):
            same, wrong = converted(input_ids).logits, inverse(input_ids).logits
            untouched = model(input_ids).logits
    expect(same).close(
        logits,
        "With the rows of q_proj and k_proj converted by your function, interleaved RoPE must give "
        "the logits of the original model.",
        mistakes={ROW_MISTAKES["inverse"]: wrong, ROW_MISTAKES["nothing"]: untouched},
        rtol=1e-5,  # transformers computes its angles in float32
    )
