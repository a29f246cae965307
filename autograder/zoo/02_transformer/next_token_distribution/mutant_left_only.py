"""Drops the padding on the left only.

message: last real token
"""


def next_token_distribution(model, input_ids, attention_mask):
    real = attention_mask.bool()
    rows = []
    for ids, keep in zip(input_ids, real):
        first = int(keep.int().argmax())
        out = model(ids[first:][None])
        logits = getattr(out, "logits", out)
        rows.append(logits[0, -1].softmax(-1))
    return torch.stack(rows)
