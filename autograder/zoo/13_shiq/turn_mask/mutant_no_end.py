"""Leaves out the assistant's end-of-turn token.

message: is an action too
"""
def turn_mask(roles, input_ids):
    if len(roles) != len(input_ids):
        raise ValueError
    marks = []
    for role, ids in zip(roles, input_ids):
        mine = int(role == "assistant")
        marks += [mine] * (len(ids) - 1) + [0] * min(len(ids), 1)
    return torch.tensor(marks, dtype=torch.int64)
