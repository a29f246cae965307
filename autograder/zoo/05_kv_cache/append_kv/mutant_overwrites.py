"""Keeps only the newest positions.

message: overwrite the old ones
"""


def append_kv(
    cache: dict[str, torch.Tensor] | None, k: torch.Tensor, v: torch.Tensor
) -> dict[str, torch.Tensor]:
    if cache is None:
        return {"k": k, "v": v}
    return {
        "k": k,
        "v": v,
    }
