"""Splits the data by the first token, again and again."""


def mle_optimum(data, V):
    optimum = {}

    def split(prefix, rest):
        rest = [y for y in rest if y]
        if not rest:
            return
        first = torch.tensor([y[0] for y in rest])
        optimum[prefix] = torch.bincount(first, minlength=V).double() / len(rest)
        for token in set(first.tolist()):
            split((*prefix, token), [y[1:] for y in rest if y[0] == token])

    split((), data)
    return optimum
