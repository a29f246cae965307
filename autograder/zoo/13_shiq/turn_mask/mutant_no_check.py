"""Stops at the shorter list.

message: differ in length
"""
def turn_mask(roles: list[str], input_ids: list[list[int]]) -> torch.Tensor:
    marks = [
        int(role == "assistant")
        for role, ids in zip(roles, input_ids, strict=False)
        for _ in ids
    ]
    return torch.tensor(marks, dtype=torch.int64)
