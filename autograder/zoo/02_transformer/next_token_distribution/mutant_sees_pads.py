"""Finds the last real position, but the tokens see the pads.

message: see the padding before them
"""


def next_token_distribution(model, input_ids, attention_mask):
    real = attention_mask.bool()
    front = (~real).to(torch.int8).argsort(dim=1, stable=True)
    out = model(input_ids)
    logits = getattr(out, "logits", out)
    rows = torch.arange(len(input_ids))
    return logits[rows, input_ids.shape[1] - 1 - real.flip(1).int().argmax(1)].softmax(-1)
