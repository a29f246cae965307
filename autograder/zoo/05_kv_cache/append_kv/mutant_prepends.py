"""Puts the new positions in front.

message: stand in front
"""


def append_kv(
    cache: dict[str, torch.Tensor] | None, k: torch.Tensor, v: torch.Tensor
) -> dict[str, torch.Tensor]:
    if cache is None:
        return {"k": k, "v": v}
    return {
        "k": torch.cat([k, cache["k"]], dim=2),
        "v": torch.cat([v, cache["v"]], dim=2),
    }
