"""Hidden suite of 12_grpo.

Strategy: clipped objectives are compared with a case distinction written number by number, in value
and in gradient, on batches that hold every cell of the (ratio, advantage) plane. Masks are ragged,
and the padding holds numbers whose exponential overflows. Biases are compared with a sum over
multisets of outcomes (multinomial weights, not ordered tuples) and, for right/wrong rewards, with a
binomial closed form.
"""

DEPENDS = {"grpo_bias": ["group_advantages"], "grpo_loss": ["ppo_clip_loss"]}
FORBIDDEN = {
    "kl_constrained_check": ["torch.distributions", "torch.nn.functional.kl_div", "torch.kl_div"],
}
