"""Sorts the order in which interleaved rows go to halves."""


def half_to_interleaved(w, n_heads):
    d_head = w.shape[0] // n_heads
    evens_then_odds = list(range(0, d_head, 2)) + list(range(1, d_head, 2))
    to_half = torch.cat([torch.tensor(evens_then_odds) + h * d_head for h in range(n_heads)])
    return w.index_select(0, torch.argsort(to_half))
