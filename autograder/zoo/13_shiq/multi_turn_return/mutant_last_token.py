"""The last token's reward only.

message: last token of each turn
"""
def multi_turn_return(rewards, turns, num_turns):
    cells = [[rewards[b][turns[b] == k][-1:] for k in range(num_turns)] for b in range(len(rewards))]
    per_turn = torch.stack([torch.stack([c.sum() for c in row]) for row in cells])
    return per_turn, per_turn.sum(1)
