"""A border is where the id rises.

message: need not rise
"""


def packed_loss(logits, input_ids, document_ids):
    border = document_ids[:, 1:] > document_ids[:, :-1]
    padding = (document_ids[:, 1:] == -1) | (document_ids[:, :-1] == -1)
    targets = input_ids[:, 1:].masked_fill(border | padding, -100)
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), targets.flatten())
