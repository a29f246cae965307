"""From interleaved to half-split: the direction of transformers' conversion script.

message: opposite permutation
"""


def half_to_interleaved(w, n_heads):
    rows = torch.arange(w.shape[0])
    order = rows.view(n_heads, -1, 2).transpose(1, 2).flatten()
    return w[order]
