"""Token logit minus logsumexp, chosen by where."""

def completion_logps(model, input_ids, attention_mask, completion_mask):
    logits = model(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1]
    chosen = logits.gather(-1, input_ids[:, 1:].unsqueeze(-1)).squeeze(-1)
    zero = torch.zeros((), dtype=logits.dtype)
    counted = completion_mask[:, 1:].bool()
    chosen = torch.where(counted, chosen, zero)
    return chosen.sum(-1) - torch.where(counted, logits.logsumexp(-1), zero).sum(-1)
