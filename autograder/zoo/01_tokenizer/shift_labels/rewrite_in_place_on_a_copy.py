"""Index assignment on a clone."""


def shift_labels(input_ids, prompt_len, pad_id):
    labels = input_ids.clone()
    for b in range(labels.shape[0]):
        n = int(prompt_len[b])
        labels[b, :n] = -100
        (ends,) = torch.where(input_ids[b, n:] == pad_id)
        if len(ends) > 0:
            labels[b, n + int(ends[0]) + 1 :] = -100
    return labels[:, 1:].contiguous()
