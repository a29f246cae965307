"""Indexes the counted positions and adds them up by row."""

def completion_logps(model, input_ids, attention_mask, completion_mask):
    logits = model(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1]
    rows, places = completion_mask[:, 1:].nonzero(as_tuple=True)
    logps = logits[rows, places].log_softmax(-1)
    picked = logps[torch.arange(len(rows)), input_ids[rows, places + 1]]
    return logits.new_zeros(len(input_ids)).index_add(0, rows, picked)
