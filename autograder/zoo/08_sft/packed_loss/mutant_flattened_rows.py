"""Glues the rows together: the last token of a row predicts the first of the next.

message: in the same row
"""


def packed_loss(logits, input_ids, document_ids):
    rows, ids = logits.flatten(0, 1), input_ids.flatten()
    names = document_ids.flatten()
    keep = (names[1:] == names[:-1]) & (names[1:] != -1)
    return F.cross_entropy(rows[:-1][keep], ids[1:][keep])
