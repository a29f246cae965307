"""Takes the number of real tokens for the position.

message: number of real tokens is taken
"""


def next_token_distribution(model, input_ids, attention_mask):
    real = attention_mask.bool()
    front = (~real).to(torch.int8).argsort(dim=1, stable=True)
    out = model(input_ids)
    logits = getattr(out, "logits", out)
    rows = torch.arange(len(input_ids))
    return logits[rows, real.sum(1) - 1].softmax(-1)
