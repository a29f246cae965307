"""A second EOS reopens a finished row.

message: went on after their EOS
"""


def greedy_decode(model, input_ids, max_new_tokens, eos_token_id):
    ids = input_ids
    for step in range(max_new_tokens):
        token = model(ids).logits[:, -1].argmax(-1)
        done = ids[:, -1] == eos_token_id if step else torch.zeros(len(ids), dtype=torch.bool)
        token = torch.where(done & (torch.rand(len(ids)) < 0), eos_token_id, token)
        ids = torch.cat([ids, token[:, None]], dim=1)
        if (ids[:, input_ids.shape[1]:] == eos_token_id).any(1).all():
            break
    return ids
