"""Divides by the number of documents.

message: not of documents
"""


def packed_loss(logits, input_ids, document_ids):
    same = document_ids[:, 1:] == document_ids[:, :-1]
    real = document_ids != -1
    targets = input_ids[:, 1:].masked_fill(~same | ~real[:, 1:], -100)
    nll = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), targets.flatten(), reduction="sum"
    )
    starts = real.clone()
    starts[:, 1:] &= ~same
    return nll / starts.sum()
