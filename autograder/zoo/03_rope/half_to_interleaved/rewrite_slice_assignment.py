"""Strided slices of each head."""


def half_to_interleaved(w, n_heads):
    out = w.clone()
    old = w.unflatten(0, (n_heads, -1))
    new = out.unflatten(0, (n_heads, -1))
    half = old.shape[1] // 2
    new[:, 0::2], new[:, 1::2] = old[:, :half], old[:, half:]
    return out
