"""The total is the last turn.

message: last turn only
"""
def multi_turn_return(
    rewards: torch.Tensor, turns: torch.Tensor, num_turns: int
) -> tuple[torch.Tensor, torch.Tensor]:
    own = torch.where(turns >= 0, rewards, 0.0)
    per_turn = torch.zeros(len(rewards), num_turns, dtype=rewards.dtype)
    per_turn.scatter_add_(1, turns.clamp(min=0), own)
    return per_turn, per_turn[:, -1]
