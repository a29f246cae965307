"""Masks the last token of each document instead of the first.

message: same document
"""


def packed_loss(logits, input_ids, document_ids):
    ends = F.pad(document_ids[:, 1:] != document_ids[:, :-1], (0, 1), value=True)
    targets = input_ids[:, 1:].masked_fill(
        ends[:, 1:] | (document_ids[:, 1:] == -1), -100
    )
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), targets.flatten())
