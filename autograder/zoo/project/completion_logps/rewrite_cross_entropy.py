"""Uses cross_entropy with ignore_index."""

def completion_logps(model, input_ids, attention_mask, completion_mask):
    logits = model(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1]
    labels = input_ids[:, 1:].masked_fill(completion_mask[:, 1:] == 0, -100)
    nll = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    return -nll.sum(-1)
