"""Term by term."""


def packed_loss(logits, input_ids, document_ids):
    terms = []
    for row, ids, names in zip(logits, input_ids, document_ids):
        for t in range(len(ids) - 1):
            if names[t] == names[t + 1] != -1:
                terms.append(-row[t].log_softmax(0)[ids[t + 1]])
    return sum(terms) / len(terms)
