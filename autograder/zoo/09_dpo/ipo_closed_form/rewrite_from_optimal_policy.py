"""The optimal policy with the win probability as the reward."""


def ipo_closed_form(ref, mu, pref_matrix, tau):
    return optimal_policy(ref, pref_matrix @ mu, tau)
