"""Divides by all sequences that begin with the prefix, those that stop there included.

message: stops there
"""


def mle_optimum(data, V):
    optimum = {}
    for y in data:
        for t in range(len(y)):
            begins = [z for z in data if z[:t] == y[:t]]
            row = torch.zeros(V, dtype=torch.float64)
            for z in begins:
                if len(z) > t:
                    row[z[t]] += 1
            optimum[y[:t]] = row / len(begins)
    return optimum
