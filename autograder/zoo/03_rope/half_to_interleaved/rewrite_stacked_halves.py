"""Cuts every head in two and stacks the halves row by row."""


def half_to_interleaved(w, n_heads):
    heads = []
    for head in w.chunk(n_heads, dim=0):
        first, second = head.chunk(2, dim=0)
        heads.append(torch.stack([first, second], dim=1).flatten(0, 1))
    return torch.cat(heads, dim=0)
