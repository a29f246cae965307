"""Leaves the last token out of the input; zeros are written into a copy; float64 inside."""

def completion_logps(model, input_ids, attention_mask, completion_mask):
    logits = model(input_ids=input_ids[:, :-1], attention_mask=attention_mask[:, :-1]).logits
    chosen = logits.double().log_softmax(-1).gather(-1, input_ids[:, 1:, None]).squeeze(-1)
    mask = completion_mask[:, 1:].bool()
    chosen = chosen.clone()
    chosen[~mask] = 0
    return chosen.sum(-1).to(logits.dtype)
