"""Predicts the last token of the prompt.

message: last token of the prompt
"""


def shift_labels(input_ids, prompt_len, pad_id):
    position = torch.arange(input_ids.shape[1])
    after_prompt = position >= prompt_len.unsqueeze(1)
    ends = (input_ids == pad_id) & after_prompt
    before = ends.long().cumsum(1) - ends.long()
    keep = (position >= prompt_len.unsqueeze(1) - 1) & (before == 0)
    return input_ids.masked_fill(~keep, -100)[:, 1:]
