"""One row at a time."""


def next_token_distribution(model, input_ids, attention_mask):
    rows = []
    for ids, keep in zip(input_ids, attention_mask):
        out = model(ids[keep.bool()].unsqueeze(0))
        logits = out.logits if hasattr(out, "logits") else out
        rows.append(torch.softmax(logits[0, -1], dim=-1))
    return torch.stack(rows)
