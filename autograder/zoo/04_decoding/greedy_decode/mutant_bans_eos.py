"""Never produces the EOS.

message: A row's completion ends
"""


def greedy_decode(model, input_ids, max_new_tokens, eos_token_id):
    ids = input_ids
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(max_new_tokens):
        with torch.no_grad():
            logits = model(ids).logits[:, -1].clone()
            logits[:, eos_token_id] = -1e9
            token = logits.argmax(-1)
        token = torch.where(finished, eos_token_id, token)
        ids = torch.cat([ids, token[:, None]], dim=1)
        finished = finished | (token == eos_token_id)
        if finished.all():
            break
    return ids
