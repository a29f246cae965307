"""Marks tool results.

message: Tool results
"""
def turn_mask(roles: list[str], input_ids: list[list[int]]) -> torch.Tensor:
    if len(roles) != len(input_ids):
        raise ValueError("one role per turn")
    marks = [
        int(role in ("assistant", "tool"))
        for role, ids in zip(roles, input_ids, strict=True)
        for _ in ids
    ]
    return torch.tensor(marks, dtype=torch.int64)
