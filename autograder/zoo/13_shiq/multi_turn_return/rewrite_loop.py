"""Token by token."""
def multi_turn_return(rewards, turns, num_turns):
    B, T = rewards.shape
    per_turn = rewards.new_zeros(B, num_turns)
    for b in range(B):
        for t in range(T):
            k = int(turns[b, t])
            if k >= 0:
                per_turn[b, k] += rewards[b, t]
    return per_turn, per_turn.sum(-1)
