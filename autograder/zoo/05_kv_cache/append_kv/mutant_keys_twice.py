"""Copy and paste: the keys are stored as values, too.

message: stored twice
"""


def append_kv(
    cache: dict[str, torch.Tensor] | None, k: torch.Tensor, v: torch.Tensor
) -> dict[str, torch.Tensor]:
    if cache is None:
        return {"k": k, "v": k}
    return {
        "k": torch.cat([cache["k"], k], dim=2),
        "v": torch.cat([cache["v"], k], dim=2),
    }
