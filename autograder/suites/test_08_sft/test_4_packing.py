"""Section 4 of 08_sft. Several texts in one row."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import closed_gradient, losses, pairs_counted, reductions, scalar

# packed_loss


def packed_batch(draw: Draw, layout: list[list[tuple[int, int]]], V: int = 6):
    """Logits, ids, document ids; a row is a list of (document id, number of tokens)."""
    rows = [[name for name, length in row for _ in range(length)] for row in layout]
    documents = torch.tensor(rows)
    return draw.normal(*documents.shape, V), draw.integers(0, V, *documents.shape), documents


def separate(logits, ids, layout) -> list[list[float]]:
    """The terms of every document in a row of its own."""
    terms = []
    for b, row in enumerate(layout):
        start = 0
        for name, length in row:
            if name != -1:
                part = slice(start, start + length)
                terms += losses(
                    logits[b : b + 1, part], ids[b : b + 1, part], torch.ones(1, length)
                )
            start += length
    return terms


@exercise("packed_loss", weight=2)
def test_packed_documents_cost_what_they_cost_apart(student: Student, draw: Draw):
    """Two rows, documents of one to four tokens, padding at the end and between."""
    layout = [[(0, 4), (1, 2), (2, 3), (-1, 1)], [(5, 1), (9, 3), (-1, 2), (3, 4)]]
    logits, ids, documents = packed_batch(draw, layout)
    ids[0, 1] = 0  # an ordinary token
    terms = separate(logits, ids, layout)
    sum_then_mean, want, mean_of_means = reductions(terms)
    total = sum(map(sum, terms))
    real = pairs_counted(documents != -1)
    same = torch.zeros_like(real)
    same[:, 1:] = documents[:, 1:] == documents[:, :-1]
    expect(student.packed_loss(logits, ids, documents)).close(
        want,
        "Mean over the tokens whose predecessor belongs to the same document (and is no padding).",
        mistakes={
            "You predicted the first token of a document from the one before it.":
                reductions(losses(logits, ids, real))[1],
            "You counted the padding: its document id is -1.":
                reductions(losses(logits, ids, same))[1],
            "You counted borders and padding.":
                reductions(losses(logits, ids, torch.ones_like(real)))[1],
            "Every token weighs the same: you averaged over documents.": mean_of_means,
            "Divide by the number of terms, not of documents.": sum_then_mean,
            "Divide by the number of terms, not of positions.": scalar(total / (2 * 9)),
            "Divide by the number of terms, not of rows.": scalar(total / 2),
        },
    )  # fmt: skip


@exercise("packed_loss")
def test_document_ids_only_tell_neighbours_apart(student: Student, draw: Draw):
    """Ids fall, come back in the same row, and go on in the next row."""
    a, b = draw.sample(range(1, 60), 2)
    layout = [[(a, 3), (b, 2), (a, 3)], [(a, 2), (0, 4), (b, 2)]]
    logits, ids, documents = packed_batch(draw, layout)
    expect(student.packed_loss(logits, ids, documents)).close(
        reductions(separate(logits, ids, layout))[1],
        "Compare the document ids of neighbours in the same row: they need not rise, and may come "
        "back later.",
    )


@exercise("packed_loss")
def test_one_document_is_pretraining(student: Student, draw: Draw):
    """A single document in one row; a padded one in float32."""
    layout = [[(draw.integer(0, 9), 5)]]
    logits, ids, documents = packed_batch(draw, layout)
    expect(student.packed_loss(logits, ids, documents)).close(
        reductions(separate(logits, ids, layout))[1],
        "One document is the ordinary pretraining loss, token_mean.",
    )
    layout = [[(-1, 2), (0, 2)]]
    logits, ids, documents = packed_batch(draw, layout)
    want = reductions(separate(logits.float(), ids, layout))[1].float()
    expect(student.packed_loss(logits.float(), ids, documents)).close(
        want, "Padding may stand on the left, too, and the dtype of the logits stays."
    )


@exercise("packed_loss")
def test_the_gradient_stays_inside_each_document(student: Student, draw: Draw):
    """The gradient by value; one token has probability zero everywhere."""
    layout = [[(0, 3), (1, 2), (-1, 1)], [(0, 2), (1, 4)]]
    logits, ids, documents = packed_batch(draw, layout)
    ids = torch.where(documents == -1, 0, ids.clamp(min=1))
    logits[:, :, 0] = -torch.inf
    counts = pairs_counted(documents != -1)
    counts[:, 1:] &= documents[:, 1:] == documents[:, :-1]
    got = student.grad("packed_loss", logits, ids, documents, wrt=(0,))
    text = (
        "Differentiable in the logits, softmax minus one-hot inside the documents, 0 at borders "
        "and padding; select terms instead of multiplying (0 times infinity is not a number)."
    )
    expect(got.value).close(reductions(losses(logits, ids, counts))[1], text)
    expect(got.grads[0]).close(closed_gradient(logits, ids, counts) / int(counts.sum()), text)
