"""Takes every role that it does not know for the policy.

message: any other name is not
"""


def turn_mask(roles, input_ids):
    if len(roles) != len(input_ids):
        raise ValueError("a role for each turn")
    others = ("system", "user", "tool")
    mask = [int(role not in others) for role, ids in zip(roles, input_ids) for _ in ids]
    return torch.tensor(mask, dtype=torch.int64)
