"""Divides by the number of rows.

message: not of rows
"""


def packed_loss(logits, input_ids, document_ids):
    same = document_ids[:, 1:] == document_ids[:, :-1]
    targets = input_ids[:, 1:].masked_fill(~same | (document_ids[:, 1:] == -1), -100)
    nll = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), targets.flatten(), reduction="sum"
    )
    return nll / len(input_ids)
