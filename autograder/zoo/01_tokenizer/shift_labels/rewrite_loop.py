"""Row by row, with lists."""


def shift_labels(input_ids, prompt_len, pad_id):
    rows = []
    for ids, start in zip(input_ids.tolist(), prompt_len.tolist()):
        done = False
        row = []
        for t in range(1, len(ids)):
            if t < start or done:
                row.append(-100)
            else:
                row.append(ids[t])
                done = ids[t] == pad_id
        rows.append(row)
    return torch.tensor(rows, dtype=torch.long)
