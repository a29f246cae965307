"""The first run of each turn only.

message: Sum the rewards
"""
def multi_turn_return(rewards, turns, num_turns):
    per_turn = torch.zeros(len(rewards), num_turns, dtype=rewards.dtype)
    for b in range(len(rewards)):
        for k in range(num_turns):
            hits = (turns[b] == k).nonzero()[:, 0].tolist()
            for n, t in enumerate(hits):
                if t == hits[0] + n:
                    per_turn[b, k] += rewards[b, t]
    return per_turn, per_turn.sum(1)
