"""Looks at the old completion: ends one step late.

message: one step late
"""
def token_mdp_step(
    state: tuple[tuple[int, ...], tuple[int, ...]],
    action: int,
    reward_fn: Callable[[tuple[int, ...], tuple[int, ...]], float],
    eos: int,
    t_max: int,
) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], float, bool]:
    prompt, completion = state
    done = completion[-1:] == (eos,) or len(completion) == t_max
    completion = (*completion, action)
    return (prompt, completion), reward_fn(prompt, completion) if done else 0.0, done
