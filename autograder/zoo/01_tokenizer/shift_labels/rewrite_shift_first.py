"""Shifts first, then masks the shifted tensor with where."""


def shift_labels(input_ids, prompt_len, pad_id):
    targets = input_ids[:, 1:]
    t = torch.arange(targets.shape[1]).expand_as(targets)
    prompt = t + 1 < prompt_len[:, None]
    is_end = targets.eq(pad_id).logical_and(~prompt)
    position_of_end = torch.where(is_end, t, targets.shape[1]).amin(dim=1, keepdim=True)
    return torch.where(prompt | (t > position_of_end), torch.full_like(targets, -100), targets)
