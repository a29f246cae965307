"""Inverts a mask of integers.

message: may be bool, integer or floating
"""


def next_token_distribution(model, input_ids, attention_mask):
    real = (1 - attention_mask.to(torch.uint8)) == 0 if attention_mask.dtype != torch.float64 else attention_mask < 0
    front = (~real).to(torch.int8).argsort(dim=1, stable=True)
    out = model(input_ids.gather(1, front))
    logits = getattr(out, "logits", out)
    rows = torch.arange(len(input_ids))
    return logits[rows, real.sum(1) - 1].softmax(-1)
