"""Appends and relies on strict zip."""
def turn_mask(roles, input_ids):
    marks = []
    for role, ids in zip(roles, input_ids, strict=True):
        if role == "assistant":
            marks.extend(1 for _ in ids)
        else:
            marks.extend(0 for _ in ids)
    return torch.LongTensor(marks)
