"""Joins parts with the same id in a row.

message: may come back later
"""


def packed_loss(logits, input_ids, document_ids):
    terms = []
    for b in range(len(input_ids)):
        for name in sorted(set(document_ids[b].tolist()) - {-1}):
            place = (document_ids[b] == name).nonzero().flatten()
            terms.append(
                F.cross_entropy(
                    logits[b, place[:-1]], input_ids[b, place[1:]], reduction="none"
                )
            )
    return torch.cat(terms).mean()
