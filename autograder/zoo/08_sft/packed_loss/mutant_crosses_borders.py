"""Predicts the first token of a document from the one before.

message: from the one before it
"""


def packed_loss(logits, input_ids, document_ids):
    real = document_ids >= 0
    targets = input_ids[:, 1:].masked_fill(~(real[:, 1:] & real[:, :-1]), -100)
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), targets.flatten())
