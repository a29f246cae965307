"""-1 wraps round to the last turn.

message: as an index it is the last
"""
def multi_turn_return(rewards, turns, num_turns):
    per_turn = torch.zeros(len(rewards), num_turns, dtype=rewards.dtype)
    for b in range(len(rewards)):
        for t in range(rewards.shape[1]):
            per_turn[b, turns[b, t]] += rewards[b, t]
    return per_turn, per_turn.sum(1)
