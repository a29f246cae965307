"""Reads the token's probability from its own position.

message: no shift
"""

def completion_logps(model, input_ids, attention_mask, completion_mask):
    logits = model(input_ids=input_ids, attention_mask=attention_mask).logits
    logps = logits.log_softmax(-1).gather(-1, input_ids[:, :, None]).squeeze(-1)
    return logps.masked_fill(completion_mask == 0, 0.0).sum(-1)
