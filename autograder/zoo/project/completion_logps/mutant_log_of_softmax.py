"""Takes the logarithm of a softmax that underflows.

message: log_softmax
"""

def completion_logps(model, input_ids, attention_mask, completion_mask):
    logits = model(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1]
    probs = logits.softmax(-1).gather(-1, input_ids[:, 1:, None]).squeeze(-1)
    logps = torch.where(completion_mask[:, 1:] == 1, probs, torch.ones_like(probs)).log()
    return logps.sum(-1)
