"""Divides by all positions.

message: not of positions
"""


def packed_loss(logits, input_ids, document_ids):
    same = document_ids[:, 1:] == document_ids[:, :-1]
    targets = input_ids[:, 1:].masked_fill(~same | (document_ids[:, 1:] == -1), -100)
    nll = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), targets.flatten(), reduction="none"
    )
    return nll.mean()
