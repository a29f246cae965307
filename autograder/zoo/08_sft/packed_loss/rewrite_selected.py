"""Picks the positions with a boolean index."""


def packed_loss(logits, input_ids, document_ids):
    before, after = document_ids[:, :-1], document_ids[:, 1:]
    keep = (before == after) & (after >= 0)
    return F.cross_entropy(logits[:, :-1][keep], input_ids[:, 1:][keep])
