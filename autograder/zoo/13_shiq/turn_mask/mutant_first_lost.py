"""Takes the first token of a turn for a header.

message: first token
"""
def turn_mask(roles, input_ids):
    if len(roles) != len(input_ids):
        raise ValueError
    marks = [int(role == "assistant" and j > 0) for role, ids in zip(roles, input_ids) for j, _ in enumerate(ids)]
    return torch.tensor(marks, dtype=torch.int64)
