"""repeat_interleave."""
def turn_mask(roles, input_ids):
    mine = torch.tensor([r == "assistant" for r in roles], dtype=torch.int64)
    counts = torch.tensor([len(t) for t in input_ids], dtype=torch.int64)
    if len(mine) != len(counts):
        raise ValueError("lengths")
    return mine.repeat_interleave(counts)
