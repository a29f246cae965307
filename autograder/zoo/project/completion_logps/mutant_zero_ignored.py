"""Cross-entropy that ignores token 0, which is a word elsewhere.

message: 0 may be a word
"""

def completion_logps(model, input_ids, attention_mask, completion_mask):
    logits = model(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1]
    mask = completion_mask[:, 1:].bool()
    labels = input_ids[:, 1:].masked_fill(~mask, 0)
    return -F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=0, reduction="none").sum(-1)
