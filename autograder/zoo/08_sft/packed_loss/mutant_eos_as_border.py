"""Looks for token 1 instead of the document ids.

message: same document
"""


def packed_loss(logits, input_ids, document_ids):
    border = (input_ids[:, :-1] == 1) | (document_ids[:, 1:] == -1)
    targets = input_ids[:, 1:].masked_fill(border, -100)
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), targets.flatten())
