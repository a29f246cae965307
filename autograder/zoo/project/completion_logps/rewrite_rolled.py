"""Rolls ids and mask back by one place; the last place counts nothing."""

def completion_logps(model, input_ids, attention_mask, completion_mask):
    logits = model(input_ids=input_ids, attention_mask=attention_mask).logits
    chosen = logits.log_softmax(-1).gather(-1, torch.roll(input_ids, -1, 1)[..., None]).squeeze(-1)
    mask = torch.roll(completion_mask, -1, 1) == 1
    return chosen.masked_fill(~mask, 0).sum(-1)
