"""A loop over the batch and time."""


def token_logps(logits, targets):
    rows = []
    for b in range(targets.shape[0]):
        row = []
        for t in range(targets.shape[1]):
            y = targets[b, t].item()
            if y == -100:
                row.append(torch.zeros((), dtype=logits.dtype))
            else:
                row.append(torch.log_softmax(logits[b, t], -1)[y])
        rows.append(torch.stack(row))
    return torch.stack(rows)
