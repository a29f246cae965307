"""Averages within a turn.

message: averaged
"""
def multi_turn_return(rewards, turns, num_turns):
    cells = [[rewards[b][turns[b] == k] for k in range(num_turns)] for b in range(len(rewards))]
    per_turn = torch.stack([torch.stack([c.mean() if len(c) else c.sum() for c in row]) for row in cells])
    return per_turn, per_turn.sum(1)
