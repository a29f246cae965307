"""The reward is asked for lazily."""
def token_mdp_step(state, action, reward_fn, eos, t_max):
    prompt, y = state
    length = len(y) + 1
    if length > t_max or eos in y:
        raise ValueError("finished")
    y = y + (action,)
    done = bool(eos == action) | (length == t_max)
    reward = 0.0
    if done:
        reward = reward_fn(prompt, y)
    return (prompt, y), reward, done
