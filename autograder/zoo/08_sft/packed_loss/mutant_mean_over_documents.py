"""Averages over documents.

message: averaged over documents
"""


def packed_loss(logits, input_ids, document_ids):
    means = []
    for b in range(len(input_ids)):
        for name in set(document_ids[b].tolist()) - {-1}:
            place = (document_ids[b] == name).nonzero().flatten()
            if len(place) > 1:
                means.append(
                    F.cross_entropy(logits[b, place[:-1]], input_ids[b, place[1:]])
                )
    return torch.stack(means).mean()
