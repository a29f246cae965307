"""Hidden suite of 09_dpo.

Strategy: every line of the derivation is compared with something that does not use the line.
Probabilities and partition functions are summed one exponential at a time; Bradley-Terry rewards
come from the MM algorithm (Zermelo 1929, Hunter 2004), not from gradient descent; the optimal
policy must beat every policy of a cloud; the regret is a difference of objectives; gradients are
compared by value with autograd on a population loss written as a double loop; IPO's closed form is
the solution of a weighted least-squares problem. The formula of `optimal_log_odds` is a tree of
white-listed heads, evaluated at random points. References are never uniform where that could hide
a mistake, beta is never 1 there, and batches hold several prompts.
"""

DEPENDS = {
    "reward_model_loss": ["bt_probability"],
    "fit_bt": ["bt_probability", "reward_model_loss"],
    "optimal_policy": ["log_partition"],
    "objective_gap": ["kl_objective", "log_partition", "optimal_policy"],
    "dpo_loss": ["implicit_reward", "reward_model_loss"],
    "dpo_loss_gradient": ["bt_probability", "dpo_loss", "implicit_reward"],
    "dpo_population_gradient": ["bt_probability", "dpo_loss", "implicit_reward"],
    "ipo_loss": ["implicit_reward"],
    "ipo_closed_form": ["optimal_policy"],
}
