"""Feeds new tokens only, with the library's cache."""


def greedy_decode(model, input_ids, max_new_tokens, eos_token_id):
    past, new, rows = None, input_ids, [input_ids]
    finished = torch.zeros(len(input_ids), dtype=torch.bool)
    with torch.inference_mode():
        while len(rows) <= max_new_tokens and not bool(finished.all()):
            out = model(input_ids=new, past_key_values=past, use_cache=True)
            past = out.past_key_values
            new = out.logits[:, -1:].argmax(-1)
            new = new.masked_fill(finished[:, None], eos_token_id)
            finished = finished | (new[:, 0] == eos_token_id)
            rows.append(new)
    return torch.cat(rows, dim=1)
