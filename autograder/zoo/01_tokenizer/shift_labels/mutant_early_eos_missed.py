"""Takes an EOS at position 1 for none.

message: An EOS directly after the prompt
"""


def shift_labels(input_ids, prompt_len, pad_id):
    pos = torch.arange(input_ids.shape[1])[None]
    comp = pos >= prompt_len[:, None]
    end = ((input_ids == pad_id) & comp).long().argmax(1, keepdim=True)
    keep = comp & ((pos <= end) | (end < 2))
    return torch.where(keep, input_ids, -100)[:, 1:]
