"""Does not shift.

message: same document
"""


def packed_loss(logits, input_ids, document_ids):
    targets = input_ids.masked_fill(document_ids == -1, -100)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())
