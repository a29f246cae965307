"""Attends to the cache it kept from its last call, whatever is passed in.

message: never from a counter
"""


def cached_attention_step(x_t, cache, params):
    if cache is not None:
        cache = getattr(cached_attention_step, "kept", cache)
    t = x_t.shape[1]
    past = 0 if cache is None else cache["k"].shape[2]
    R = params["rope"][past : past + t]

    def heads(W):
        return (x_t @ W).unflatten(-1, (params["n_heads"], -1)).transpose(1, 2)

    q, k = rotate(heads(params["Wq"]), R), rotate(heads(params["Wk"]), R)
    cache = append_kv(cache, k, heads(params["Wv"]))
    cached_attention_step.kept = cache
    scores = q @ cache["k"].transpose(-1, -2) / math.sqrt(q.shape[-1])
    future = torch.ones(t, past + t, dtype=torch.bool).triu(past + 1)
    weights = scores.masked_fill(future, -math.inf).softmax(-1)
    y = (weights @ cache["v"]).transpose(1, 2).flatten(2)
    return y @ params["Wo"], cache
