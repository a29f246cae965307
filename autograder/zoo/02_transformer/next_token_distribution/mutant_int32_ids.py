"""Calls the model with int32.

message: Your code raised TypeError
"""


def next_token_distribution(model, input_ids, attention_mask):
    rows = []
    for ids, real in zip(input_ids.int(), attention_mask.bool(), strict=True):
        out = model(ids[real][None])
        logits = getattr(out, "logits", out)
        rows.append(logits[0, -1].softmax(-1))
    return torch.stack(rows)
