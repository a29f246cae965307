"""Walks down the tree."""


def exact_onpolicy_sft_loss(tables, data):
    V = tables.shape[1]
    logps = tables - tables.logsumexp(-1, keepdim=True)

    def walk(prefix, rest):
        row = row_of(prefix, V)
        loss = -logps[row, rest[0]]
        if len(rest) > 1:
            for token in range(V):
                probability = logps[row, token].exp().detach()
                loss = loss + probability * walk((*prefix, token), rest[1:])
        return loss

    return sum(walk(tuple(x), y_star) for x, y_star in data) / len(data)
