"""Exponentials, multiplied by a 0/1 mask and normalised; queries scaled beforehand."""


def cached_attention_step(x_t, cache, params):
    t, H = x_t.shape[1], params["n_heads"]
    T = 0 if cache is None else cache["k"].shape[-2]
    R = params["rope"][T : T + t]
    q, k, v = [
        torch.stack((x_t @ params[n]).chunk(H, -1), 1) for n in ("Wq", "Wk", "Wv")
    ]
    cache = append_kv(cache, rotate(k, R), v)
    q = rotate(q / math.sqrt(k.shape[-1]), R)
    scores = q @ cache["k"].mT
    visible = torch.ones(t, T + t, dtype=x_t.dtype).tril(T)
    largest = scores.masked_fill(visible == 0, -1e30).amax(-1, keepdim=True)
    weights = torch.exp((scores - largest).clamp(max=0)) * visible
    weights = weights / weights.sum(-1, keepdim=True)
    parts = (weights @ cache["v"]).unbind(1)
    return torch.cat(parts, -1) @ params["Wo"], cache
