"""A new batch, padded with zeros, only as long as needed."""


def next_token_distribution(model, input_ids, attention_mask):
    lengths = (attention_mask > 0).sum(dim=1).tolist()
    batch = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    for row, n in enumerate(lengths):
        batch[row, :n] = input_ids[row][attention_mask[row] > 0]
    out = model(batch)
    out = out if torch.is_tensor(out) else out.logits
    last = torch.stack([out[row, n - 1] for row, n in enumerate(lengths)])
    return (last - last.logsumexp(-1, keepdim=True)).exp()
