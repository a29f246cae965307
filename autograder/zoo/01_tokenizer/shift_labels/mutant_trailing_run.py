"""Masks the run of pad_id at the end except its first, from the end: also within a prompt that fills the row.

message: leaves nothing to predict
"""


def shift_labels(input_ids, prompt_len, pad_id):
    targets = torch.full_like(input_ids, -100)
    for b, row in enumerate(input_ids.tolist()):
        end = len(row)
        while end > 1 and row[end - 1] == pad_id and row[end - 2] == pad_id:
            end -= 1
        start = min(int(prompt_len[b]), end - 1)
        targets[b, start:end] = input_ids[b, start:end]
    return targets[:, 1:]
