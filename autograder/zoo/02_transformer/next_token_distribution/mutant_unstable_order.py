"""Sorts the tokens, too.

message: at the last real token
"""


def next_token_distribution(model, input_ids, attention_mask):
    real = attention_mask.bool()
    front = (~real * 100 + input_ids).argsort(dim=1)
    out = model(input_ids.gather(1, front))
    logits = getattr(out, "logits", out)
    rows = torch.arange(len(input_ids))
    return logits[rows, real.sum(1) - 1].softmax(-1)
