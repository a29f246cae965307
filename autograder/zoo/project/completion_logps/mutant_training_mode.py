"""Switches dropout on.

message: stays in the mode
"""

def completion_logps(model, input_ids, attention_mask, completion_mask):
    model.train()
    logits = model(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1]
    chosen = logits.log_softmax(-1).gather(-1, input_ids[:, 1:, None]).squeeze(-1)
    mask = completion_mask[:, 1:].bool()
    return torch.where(mask, chosen, 0.0).sum(-1)
