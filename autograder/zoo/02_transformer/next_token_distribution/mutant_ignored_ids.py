"""Feeds -100 at padding.

message: Your code raised IndexError
"""


def next_token_distribution(model, input_ids, attention_mask):
    real = attention_mask.bool()
    front = (~real).to(torch.int8).argsort(dim=1, stable=True)
    ids = input_ids.masked_fill(~real, -100).gather(1, front)
    out = model(ids)
    logits = getattr(out, "logits", out)
    rows = torch.arange(len(input_ids))
    return logits[rows, real.sum(1) - 1].softmax(-1)
