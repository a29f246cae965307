"""Writes 32 tokens and no more.

message: however many
"""


def greedy_decode(model, input_ids, max_new_tokens, eos_token_id):
    ids, done = input_ids, torch.zeros(len(input_ids), dtype=torch.bool)
    with torch.no_grad():
        for _ in range(min(max_new_tokens, 32)):
            token = model(ids).logits[:, -1].argmax(-1).masked_fill(done, eos_token_id)
            ids, done = torch.cat([ids, token[:, None]], 1), done | (token == eos_token_id)
            if done.all():
                break
    return ids
