"""Appends along the heads (as if the layout were [B, T, H, d]).

message: time (axis 2)
"""


def append_kv(
    cache: dict[str, torch.Tensor] | None, k: torch.Tensor, v: torch.Tensor
) -> dict[str, torch.Tensor]:
    if cache is None:
        return {"k": k, "v": v}
    return {
        "k": torch.cat([cache["k"], k], dim=1),
        "v": torch.cat([cache["v"], v], dim=1),
    }
