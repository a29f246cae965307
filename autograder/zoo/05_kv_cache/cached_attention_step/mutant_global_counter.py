"""Counts positions in an attribute of the function, set to 0 by an empty cache.

message: never from a counter
"""


def cached_attention_step(x_t, cache, params):
    t = x_t.shape[1]
    past = 0 if cache is None else cache["k"].shape[2]
    start = 0 if cache is None else getattr(cached_attention_step, "position", past)
    cached_attention_step.position = start + t
    R = params["rope"][start : start + t]

    def heads(W):
        return (x_t @ W).unflatten(-1, (params["n_heads"], -1)).transpose(1, 2)

    q, k = rotate(heads(params["Wq"]), R), rotate(heads(params["Wk"]), R)
    cache = append_kv(cache, k, heads(params["Wv"]))
    scores = q @ cache["k"].transpose(-1, -2) / math.sqrt(q.shape[-1])
    future = torch.ones(t, past + t, dtype=torch.bool).triu(past + 1)
    weights = scores.masked_fill(future, -math.inf).softmax(-1)
    y = (weights @ cache["v"]).transpose(1, 2).flatten(2)
    return y @ params["Wo"], cache
