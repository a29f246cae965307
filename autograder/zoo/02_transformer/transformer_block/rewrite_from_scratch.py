"""Everything written out."""


def transformer_block(x, params, n_heads):
    def norm(y, name):
        c = y - y.mean(-1, keepdim=True)
        c = c / (c.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
        return c * params[f"{name}_gamma"] + params[f"{name}_beta"]

    B, T, _ = x.shape
    y = norm(x, "ln1")
    q, k, v = (
        (y @ params[f"W{n}"] + params[f"b{n}"]).view(B, T, n_heads, -1).permute(0, 2, 1, 3)
        for n in "qkv"
    )
    scores = q @ k.mT / q.shape[-1] ** 0.5
    scores = scores + torch.full((T, T), float("-inf"), dtype=x.dtype).triu(1)
    y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(B, T, -1)
    x = x + (y @ params["Wo"] + params["bo"])
    y = norm(x, "ln2") @ params["W1"] + params["b1"]
    return x + (y.clamp(min=0) @ params["W2"] + params["b2"])
