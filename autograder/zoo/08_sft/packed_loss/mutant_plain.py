"""Ordinary pretraining.

message: borders and padding
"""


def packed_loss(logits, input_ids, document_ids):
    targets = input_ids[:, 1:]
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), targets.flatten())
