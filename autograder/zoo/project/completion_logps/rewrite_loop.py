"""Row by row and token by token."""

def completion_logps(model, input_ids, attention_mask, completion_mask):
    logits = model(input_ids=input_ids, attention_mask=attention_mask).logits
    out = []
    for row in range(len(input_ids)):
        total = logits.new_zeros(())
        for t in range(1, input_ids.shape[1]):
            if completion_mask[row, t]:
                total = total + logits[row, t - 1].log_softmax(-1)[input_ids[row, t]]
        out.append(total)
    return torch.stack(out)
