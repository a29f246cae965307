"""Hidden suite of 13_shiq.

Strategy: MDPs are small enough to list every path, so values, soft values and regularised values
are sums over paths; the grid is solved once more by a recursion over (time, row, column, flag) that
shares nothing with the course's tables. ShiQ's residuals are written out position by position in
plain Python, must vanish at l_ref + q/beta, and are compared by value and by gradient. Training is
compared, step by step, with a second implementation in numpy whose gradients are derived by hand.
"""

DEPENDS = {
    "evaluate_policy_kl": ["v_pi_exact"],
    "soft_bellman_backup": ["soft_value"],
    "grid_soft_optimum": ["soft_bellman_backup", "soft_value", "soft_optimal_policy"],
    "shiq_residuals": ["discounted_returns"],
    "shiq_loss": ["shiq_residuals", "discounted_returns"],
    "shiq_one_step_residuals": ["shiq_residuals", "discounted_returns"],
    "train_grid": [
        "grid_soft_optimum", "soft_bellman_backup", "soft_value", "soft_optimal_policy",
        "evaluate_policy_kl", "v_pi_exact", "shiq_loss", "shiq_residuals", "discounted_returns",
        "shiq_one_step_residuals", "multi_turn_copg_loss", "multi_turn_dpo_loss",
    ],
}  # fmt: skip
