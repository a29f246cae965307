"""Cuts the graph.

message: keeps the graph
"""


def split_heads(x, n_heads):
    return x.detach().unflatten(-1, (n_heads, -1)).transpose(1, 2)
