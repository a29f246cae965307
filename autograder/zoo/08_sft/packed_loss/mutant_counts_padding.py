"""Equal ids include -1.

message: counted the padding
"""


def packed_loss(logits, input_ids, document_ids):
    same = document_ids[:, 1:] == document_ids[:, :-1]
    targets = input_ids[:, 1:].masked_fill(~same, -100)
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), targets.flatten())
