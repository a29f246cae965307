"""Forgets the minus sign.

message: minus the log-likelihood
"""


def reward_model_loss(chosen_rewards, rejected_rewards):
    return F.logsigmoid(chosen_rewards - rejected_rewards).mean()
