"""Mean difference to all members of the group."""


def group_advantages(rewards, scale="std", ddof=1, eps=1e-4):
    B, G = rewards.shape
    if G < 2 or scale not in ("std", "none"):
        raise ValueError
    with torch.no_grad():
        A = (rewards[:, :, None] - rewards[:, None, :]).sum(2) / G
        if scale == "none":
            return A
        std = ((A**2).sum(1, keepdim=True) / (G - ddof)).sqrt()
        return A / torch.where(std > 0, std + eps, torch.ones_like(std))
