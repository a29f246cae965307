"""Returns a list.

message: 1 on every token
"""
def turn_mask(roles: list[str], input_ids: list[list[int]]) -> torch.Tensor:
    if len(roles) != len(input_ids):
        raise ValueError("one role per turn")
    marks = [
        int(role == "assistant")
        for role, ids in zip(roles, input_ids, strict=True)
        for _ in ids
    ]
    return marks
