"""Decodes each row alone and fills up at the end."""


def greedy_decode(model, input_ids, max_new_tokens, eos_token_id):
    completions = []
    for prompt in input_ids:
        ids, new = prompt[None], []
        while len(new) < max_new_tokens and (not new or new[-1] != eos_token_id):
            logits = model(ids).logits[0, -1]
            new.append(int(logits.max(-1).indices))
            ids = torch.cat([ids, torch.tensor([[new[-1]]])], 1)
        completions.append(new)
    width = max(map(len, completions))
    filled = [new + [eos_token_id] * (width - len(new)) for new in completions]
    return torch.cat([input_ids, torch.tensor(filled)], 1)
