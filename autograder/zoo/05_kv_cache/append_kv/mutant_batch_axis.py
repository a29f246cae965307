"""Appends along the batch.

message: time (axis 2)
"""


def append_kv(
    cache: dict[str, torch.Tensor] | None, k: torch.Tensor, v: torch.Tensor
) -> dict[str, torch.Tensor]:
    if cache is None:
        return {"k": k, "v": v}
    return {
        "k": torch.cat([cache["k"], k], dim=0),
        "v": torch.cat([cache["v"], v], dim=0),
    }
