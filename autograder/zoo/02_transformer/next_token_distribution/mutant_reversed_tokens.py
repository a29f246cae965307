"""Brings the tokens to the front in reverse.

message: at the last real token
"""


def next_token_distribution(model, input_ids, attention_mask):
    real = attention_mask.bool()
    T = input_ids.shape[1]
    front = (~real * T - torch.arange(T)).argsort(dim=1)
    out = model(input_ids.gather(1, front))
    logits = getattr(out, "logits", out)
    rows = torch.arange(len(input_ids))
    return logits[rows, real.sum(1) - 1].softmax(-1)
