"""Subtracts the logsumexp as a constant: the value is right, the gradient is not.

message: no detach
"""

def completion_logps(model, input_ids, attention_mask, completion_mask):
    logits = model(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1]
    chosen = logits.gather(-1, input_ids[:, 1:, None]).squeeze(-1) - logits.logsumexp(-1).detach()
    mask = completion_mask[:, 1:].bool()
    return torch.where(mask, chosen, 0.0).sum(-1)
