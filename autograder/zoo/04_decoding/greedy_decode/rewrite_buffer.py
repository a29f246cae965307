"""Writes into a buffer and cuts it."""


def greedy_decode(model, input_ids, max_new_tokens, eos_token_id):
    B, P = input_ids.shape
    out = input_ids.new_full((B, P + max_new_tokens), eos_token_id)
    out[:, :P] = input_ids
    open_rows = list(range(B))
    length = P
    while open_rows and length < P + max_new_tokens:
        probs = model(out[open_rows, :length]).logits[:, -1].log_softmax(-1)
        tokens = probs.topk(1).indices[:, 0]
        out[open_rows, length] = tokens
        length += 1
        open_rows = [r for r, t in zip(open_rows, tokens.tolist()) if t != eos_token_id]
    return out[:, :length]
