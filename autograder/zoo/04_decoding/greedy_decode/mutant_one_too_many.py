"""One token too many.

message: max_new_tokens counts new tokens
"""


def greedy_decode(model, input_ids, max_new_tokens, eos_token_id):
    ids = input_ids
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(max_new_tokens + 1):
        with torch.no_grad():
            token = model(ids).logits[:, -1].argmax(-1)
        token = torch.where(finished, eos_token_id, token)
        ids = torch.cat([ids, token[:, None]], dim=1)
        finished = finished | (token == eos_token_id)
        if finished.all():
            break
    return ids
