"""An extra column collects what is not the policy's."""
def multi_turn_return(rewards, turns, num_turns):
    where = turns.where(turns >= 0, torch.tensor(num_turns))
    bins = torch.zeros(len(rewards), num_turns + 1, dtype=rewards.dtype)
    bins.scatter_add_(1, where, rewards)
    per_turn = bins[:, :num_turns]
    return per_turn, per_turn @ torch.ones(num_turns, dtype=rewards.dtype)
