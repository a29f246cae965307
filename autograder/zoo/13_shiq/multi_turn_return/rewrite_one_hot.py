"""A mask per turn."""
def multi_turn_return(rewards, turns, num_turns):
    columns = [torch.where(turns == k, rewards, 0.0).sum(1) for k in range(num_turns)]
    per_turn = torch.stack(columns, 1)
    return per_turn, torch.where(turns >= 0, rewards, 0.0).sum(1)
