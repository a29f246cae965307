"""An epsilon in the logarithm: finite, and wrong for large gaps.

message: no epsilon
"""


def reward_model_loss(chosen_rewards, rejected_rewards):
    return -torch.log(torch.sigmoid(chosen_rewards - rejected_rewards) + 1e-12).mean()
