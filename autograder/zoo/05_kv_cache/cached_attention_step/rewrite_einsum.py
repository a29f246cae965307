"""Einsum, positions compared instead of a triangle, the mask added."""


def cached_attention_step(x_t, cache, params):
    B, t, _ = x_t.shape
    H = params["n_heads"]
    start = cache["k"].size(2) if cache else 0
    here = torch.arange(start, start + t)
    project = lambda W: torch.einsum("btm,mhd->bhtd", x_t, W.reshape(W.size(0), H, -1))
    q = rotate(project(params["Wq"]), params["rope"][here])
    k = rotate(project(params["Wk"]), params["rope"][here])
    new = append_kv(cache, k, project(params["Wv"]))
    everywhere = torch.arange(start + t)
    bias = torch.zeros(t, start + t, dtype=x_t.dtype)
    bias[everywhere[None] > here[:, None]] = float("-inf")
    scores = torch.einsum("bhid,bhjd->bhij", q, new["k"]) * q.size(-1) ** -0.5 + bias
    y = torch.einsum("bhij,bhjd->bihd", torch.softmax(scores, -1), new["v"])
    return y.reshape(B, t, -1) @ params["Wo"], new
