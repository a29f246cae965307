"""Multiplies the scores by a 0/1 mask, but exp(0) is 1.

message: mask, softmax
"""


def cached_attention_step(
    x_t: torch.Tensor, cache: dict[str, torch.Tensor] | None, params: dict
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    t = x_t.shape[1]
    past = 0 if cache is None else cache["k"].shape[2]
    R = params["rope"][past : past + t]

    def heads(W):
        return (x_t @ W).unflatten(-1, (params["n_heads"], -1)).transpose(1, 2)

    q, k = rotate(heads(params["Wq"]), R), rotate(heads(params["Wk"]), R)
    cache = append_kv(cache, k, heads(params["Wv"]))
    scores = q @ cache["k"].transpose(-1, -2) / math.sqrt(q.shape[-1])
    future = torch.ones(t, past + t, dtype=torch.bool).triu(past + 1)
    weights = (scores * ~future).softmax(-1)
    y = (weights @ cache["v"]).transpose(1, 2).flatten(2)
    return y @ params["Wo"], cache
