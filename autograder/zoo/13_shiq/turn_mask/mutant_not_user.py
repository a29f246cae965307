"""Marks everything but the user.

message: Everything but the user
"""
def turn_mask(roles: list[str], input_ids: list[list[int]]) -> torch.Tensor:
    if len(roles) != len(input_ids):
        raise ValueError("one role per turn")
    marks = [
        int(role != "user")
        for role, ids in zip(roles, input_ids, strict=True)
        for _ in ids
    ]
    return torch.tensor(marks, dtype=torch.int64)
