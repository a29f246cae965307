"""Hands the mask to the model.

message: Your code raised TypeError
"""


def next_token_distribution(model, input_ids, attention_mask):
    real = attention_mask.bool()
    front = (~real).to(torch.int8).argsort(dim=1, stable=True)
    out = model(input_ids, attention_mask=attention_mask)
    logits = getattr(out, "logits", out)
    rows = torch.arange(len(input_ids))
    return logits[rows, real.sum(1) - 1].softmax(-1)
