"""Marks the last assistant turn only.

message: last assistant turn
"""
def turn_mask(roles, input_ids):
    if len(roles) != len(input_ids):
        raise ValueError
    last = max([k for k, role in enumerate(roles) if role == "assistant"], default=-1)
    marks = [int(k == last) for k, ids in enumerate(input_ids) for _ in ids]
    return torch.tensor(marks, dtype=torch.int64)
