"""The logarithm after the underflow.

message: use softplus or logsigmoid
"""


def reward_model_loss(chosen_rewards, rejected_rewards):
    return -torch.log(torch.sigmoid(chosen_rewards - rejected_rewards)).mean()
