"""Every second turn is the assistant's.

message: 1 on every token
"""
def turn_mask(roles, input_ids):
    if len(roles) != len(input_ids):
        raise ValueError
    marks = [k % 2 for k, ids in enumerate(input_ids) for _ in ids]
    return torch.tensor(marks, dtype=torch.int64)
