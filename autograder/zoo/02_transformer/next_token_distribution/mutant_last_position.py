"""Takes the last position.

message: last position is taken
"""


def next_token_distribution(model, input_ids, attention_mask):
    real = attention_mask.bool()
    front = (~real).to(torch.int8).argsort(dim=1, stable=True)
    out = model(input_ids)
    logits = getattr(out, "logits", out)
    rows = torch.arange(len(input_ids))
    return logits[:, -1].softmax(-1)
