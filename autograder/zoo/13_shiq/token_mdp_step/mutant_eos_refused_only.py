"""Refuses completions with EOS only.

message: no next step
"""
def token_mdp_step(
    state: tuple[tuple[int, ...], tuple[int, ...]],
    action: int,
    reward_fn: Callable[[tuple[int, ...], tuple[int, ...]], float],
    eos: int,
    t_max: int,
) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], float, bool]:
    prompt, completion = state
    if completion[-1:] == (eos,):
        raise ValueError("this episode is over")
    completion = (*completion, action)
    done = action == eos or len(completion) == t_max
    return (prompt, completion), reward_fn(prompt, completion) if done else 0.0, done
