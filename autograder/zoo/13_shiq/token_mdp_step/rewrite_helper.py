"""A nested test for the end, applied before and after."""
def token_mdp_step(state, action, reward_fn, eos, t_max):
    def over(y):
        return len(y) >= t_max or (len(y) > 0 and y[-1] == eos)

    if over(state[1]):
        raise ValueError(state)
    following = (state[0], tuple([*state[1], action]))
    done = over(following[1])
    return following, (reward_fn(*following) if done else 0.0), done
