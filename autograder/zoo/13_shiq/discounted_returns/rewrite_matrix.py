"""A triangular matrix of powers."""
def discounted_returns(rewards, mask, gamma):
    clean = rewards.masked_fill(~mask.bool(), 0.0)
    T = rewards.shape[1]
    steps = torch.arange(T)
    lag = steps[:, None] - steps[None, :]
    powers = torch.where(lag >= 0, float(gamma) ** lag.clamp(min=0).to(rewards.dtype), 0.0)
    return (clean @ powers.to(rewards.dtype)) * mask.bool()
