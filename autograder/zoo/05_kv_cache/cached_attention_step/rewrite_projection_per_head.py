"""Wo applied head by head and summed, which is the same as joining first."""


def cached_attention_step(x_t, cache, params):
    t, H = x_t.shape[1], params["n_heads"]
    past = cache["k"].shape[2] if cache is not None else 0
    R = params["rope"].narrow(0, past, t)
    d = params["Wo"].shape[0] // H
    column = [slice(h * d, (h + 1) * d) for h in range(H)]

    def heads(W):
        return torch.stack([x_t @ W[:, c] for c in column], dim=1)

    new = append_kv(cache, rotate(heads(params["Wk"]), R), heads(params["Wv"]))
    q = rotate(heads(params["Wq"]), R)
    y = torch.zeros_like(x_t)
    for h, c in enumerate(column):
        scores = q[:, h] @ new["k"][:, h].transpose(1, 2) / math.sqrt(d)
        for i in range(t):
            scores[:, i, past + i + 1 :] = -torch.inf
        y = y + scores.softmax(-1) @ new["v"][:, h] @ params["Wo"][c]
    return y, new
