"""One new token at a time, one head at a time; no mask is needed."""


def cached_attention_step(x_t, cache, params):
    H = params["n_heads"]
    d = params["Wq"].shape[1] // H
    outputs = []
    for token in x_t.unbind(1):  # [B, d_model]
        p = 0 if cache is None else cache["k"].shape[2]
        q, k, v = (
            torch.stack((token @ params[name]).split(d, dim=-1), dim=1)[:, :, None]
            for name in ("Wq", "Wk", "Wv")
        )
        turn = params["rope"][p : p + 1]
        cache = append_kv(cache, rotate(k, turn), v)
        q = rotate(q, turn)[:, :, 0]
        rows = []
        for h in range(H):
            scores = (cache["k"][:, h] * q[:, h, None]).sum(-1) / d**0.5
            weight = torch.softmax(scores, dim=-1)
            rows.append((weight[..., None] * cache["v"][:, h]).sum(1))
        outputs.append(torch.cat(rows, dim=-1) @ params["Wo"])
    return torch.stack(outputs, dim=1), cache
