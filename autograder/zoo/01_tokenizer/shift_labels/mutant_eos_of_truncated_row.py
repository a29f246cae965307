"""Adds an EOS to a row that was cut off.

message: first pad_id is the EOS
"""


def shift_labels(input_ids, prompt_len, pad_id):
    position = torch.arange(input_ids.shape[1])
    after_prompt = position >= prompt_len.unsqueeze(1)
    ends = (input_ids == pad_id) & after_prompt
    before = ends.long().cumsum(1) - ends.long()
    keep = after_prompt & (before == 0)
    ids = input_ids.clone()
    full = ~ends.any(1)
    ids[full, -1] = pad_id
    return ids.masked_fill(~keep, -100)[:, 1:]
