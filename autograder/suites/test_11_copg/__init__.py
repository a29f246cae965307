"""Hidden suite of 11_copg.

Strategy: importance-sampling estimates are averaged over the sampler by enumeration and compared
with J and with its gradient; every gradient is compared by value. The CoPG objective is compared
with the four-term formula of the paper, written out, and its exact gradient with a sum over all
pairs. Training is compared, step by step, with a second implementation in numpy on small data sets
whose last minibatch wraps around, for a non-uniform reference, and then with the bands that
lr 1e-2 and the paper's samplers give.
"""

DEPENDS = {
    "is_objective": ["importance_weights"],
    "is_gradient_surrogate": ["importance_weights"],
    "copg_loss": ["copg_objective"],
    "copg_equals_rloo_factor": ["copg_objective", "copg_loss"],
    "train_offline_bandit": ["copg_objective", "copg_loss"],
    "support_violation_demo": ["train_offline_bandit", "copg_objective", "copg_loss"],
}
