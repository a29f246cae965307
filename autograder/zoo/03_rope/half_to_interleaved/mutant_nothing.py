"""Returns a copy.

message: nothing was reordered
"""


def half_to_interleaved(w, n_heads):
    rows = torch.arange(w.shape[0])
    order = rows
    return w.clone()
