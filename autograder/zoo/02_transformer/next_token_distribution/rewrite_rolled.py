"""Rolls each row by its padding on the left."""


def next_token_distribution(model, input_ids, attention_mask):
    mask = attention_mask.long()
    T = input_ids.shape[1]
    start = mask.argmax(1, keepdim=True)
    index = (start + torch.arange(T)) % T
    out = model(torch.gather(input_ids, 1, index))
    logits = getattr(out, "logits", out)
    last = mask.sum(1).sub(1)[:, None, None].expand(-1, 1, logits.shape[-1])
    return logits.gather(1, last)[:, 0].softmax(-1)
