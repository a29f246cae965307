"""An EOS in the prompt ends the row.

message: Only an EOS that the row produces
"""


def greedy_decode(model, input_ids, max_new_tokens, eos_token_id):
    ids = input_ids
    finished = (input_ids == eos_token_id).any(1)
    for _ in range(max_new_tokens):
        with torch.no_grad():
            token = model(ids).logits[:, -1].argmax(-1)
        token = torch.where(finished, eos_token_id, token)
        ids = torch.cat([ids, token[:, None]], dim=1)
        finished = finished | (token == eos_token_id)
        if finished.all():
            break
    return ids
