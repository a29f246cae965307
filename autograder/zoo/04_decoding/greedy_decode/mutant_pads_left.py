"""Fills on the left.

message: A row's completion ends
"""


def greedy_decode(model, input_ids, max_new_tokens, eos_token_id):
    ids = input_ids
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(max_new_tokens):
        token = model(ids).logits[:, -1].argmax(-1)
        token = torch.where(finished, eos_token_id, token)
        ids = torch.cat([ids, token[:, None]], dim=1)
        finished = finished | (token == eos_token_id)
        if finished.all():
            break
    rows = []
    for row in ids[:, input_ids.shape[1]:].tolist():
        cut = row.index(eos_token_id) + 1 if eos_token_id in row else len(row)
        rows.append([eos_token_id] * (len(row) - cut) + row[:cut])
    return torch.cat([input_ids, torch.tensor(rows)], 1)
