"""One tensor per turn, concatenated."""
def turn_mask(roles, input_ids):
    if len(roles) != len(input_ids):
        raise ValueError("lengths")
    parts = [torch.full((len(t),), int(r == "assistant"), dtype=torch.int64) for r, t in zip(roles, input_ids)]
    return torch.cat([torch.zeros(0, dtype=torch.int64), *parts])
