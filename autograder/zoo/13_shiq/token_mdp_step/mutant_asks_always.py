"""Asks for the reward at every step, and drops it.

message: finished completions only
"""
def token_mdp_step(
    state: tuple[tuple[int, ...], tuple[int, ...]],
    action: int,
    reward_fn: Callable[[tuple[int, ...], tuple[int, ...]], float],
    eos: int,
    t_max: int,
) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], float, bool]:
    prompt, completion = state
    if len(completion) >= t_max or completion[-1:] == (eos,):
        raise ValueError("this episode is over")
    completion = (*completion, action)
    done = action == eos or len(completion) == t_max
    reward = reward_fn(prompt, completion)
    return (prompt, completion), reward if done else 0.0, done
