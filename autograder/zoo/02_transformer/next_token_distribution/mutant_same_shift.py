"""Moves every row by the padding of the first.

message: differ from row to row
"""


def next_token_distribution(model, input_ids, attention_mask):
    real = attention_mask.bool()
    T, first = input_ids.shape[1], int(real[0].int().argmax())
    front = ((torch.arange(T) + first) % T).expand_as(input_ids)
    out = model(input_ids.gather(1, front))
    logits = getattr(out, "logits", out)
    rows = torch.arange(len(input_ids))
    return logits[rows, real.sum(1) - 1].softmax(-1)
