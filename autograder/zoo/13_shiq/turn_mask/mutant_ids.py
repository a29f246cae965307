"""Returns the ids.

message: 1 on every token
"""
def turn_mask(roles: list[str], input_ids: list[list[int]]) -> torch.Tensor:
    if len(roles) != len(input_ids):
        raise ValueError("one role per turn")
    marks = [
        each * int(role == "assistant")
        for role, ids in zip(roles, input_ids, strict=True)
        for each in ids
    ]
    return torch.tensor(marks, dtype=torch.int64)
