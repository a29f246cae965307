"""Explicit branches."""
def token_mdp_step(state, action, reward_fn, eos, t_max):
    x, y = state
    if y and y[-1] == eos:
        raise ValueError("ended")
    if len(y) == t_max:
        raise ValueError("full")
    new = y + (action,)
    if action == eos:
        return (x, new), float(reward_fn(x, new)), True
    if len(new) == t_max:
        return (x, new), float(reward_fn(x, new)), True
    return (x, new), 0.0, False
