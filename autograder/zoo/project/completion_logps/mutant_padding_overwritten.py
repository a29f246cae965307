"""Overwrites the padding in the batch that it was given.

message: changed one of its arguments
"""

def completion_logps(model, input_ids, attention_mask, completion_mask):
    input_ids.masked_fill_(attention_mask == 0, 0)
    logits = model(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1]
    chosen = logits.log_softmax(-1).gather(-1, input_ids[:, 1:, None]).squeeze(-1)
    mask = completion_mask[:, 1:].bool()
    return torch.where(mask, chosen, 0.0).sum(-1)
