"""Finds the last real token, which has seen the pads.

message: see the padding before them
"""


def next_token_distribution(model, input_ids, attention_mask):
    real = attention_mask.bool()
    out = model(input_ids)
    logits = getattr(out, "logits", out)
    last = (real * torch.arange(input_ids.shape[1])).argmax(1)
    return logits[torch.arange(len(last)), last].softmax(-1)
