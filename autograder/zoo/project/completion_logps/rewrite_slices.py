"""Cuts each completion out of its row."""

def completion_logps(model, input_ids, attention_mask, completion_mask):
    logits = model(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1]
    chosen = logits.log_softmax(-1).gather(-1, input_ids[:, 1:, None]).squeeze(-1)
    mask = completion_mask[:, 1:].bool()
    starts, lengths = mask.long().argmax(-1), mask.sum(-1)
    return torch.stack([row[s : s + n].sum() for row, s, n in zip(chosen, starts, lengths)])
