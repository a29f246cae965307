"""Hidden suite of 10_rloo.

Strategy: nothing is sampled. Divergences are compared with torch.distributions, the policy gradient
with central differences of the objective, and every claim of bias or unbiasedness with a sum over
all tuples of outcomes. Optimal baselines are the vertex of the parabola through three exact
variances. Surrogates are judged by the value of their gradients only, on samples that do not come
from the policy, since on-policy a missing detach can cancel.
"""

DEPENDS = {
    "sequence_kl": ["kl_divergence"],
    "policy_gradient_exact": ["regularized_reward"],
    "reinforce_surrogate": ["regularized_reward"],
    "rloo_advantages": ["loo_baseline", "regularized_reward"],
    "rloo_gradient": ["rloo_advantages", "loo_baseline", "regularized_reward"],
    "optimal_baseline_vector": ["optimal_baseline_scalar"],
    "rloo_bias_without_replacement": ["loo_baseline", "rloo_advantages", "rloo_gradient"],
}
FORBIDDEN = {
    "kl_divergence": ["torch.distributions", "torch.nn.functional.kl_div", "torch.kl_div"],
}
