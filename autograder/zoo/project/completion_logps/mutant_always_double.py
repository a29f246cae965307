"""Returns float64.

message: dtype
"""

def completion_logps(model, input_ids, attention_mask, completion_mask):
    logits = model(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1].double()
    logps = logits.log_softmax(-1).gather(-1, input_ids[:, 1:, None]).squeeze(-1)
    return logps.masked_fill(completion_mask[:, 1:] == 0, 0.0).sum(-1)
