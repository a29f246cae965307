"""Bootstraps after the end.

message: after the end
"""
def v_pi_exact(tree: dict[str, torch.Tensor], pi: torch.Tensor) -> torch.Tensor:
    v = torch.zeros(len(pi), dtype=torch.float64)
    for s in reversed(range(len(pi))):
        v[s] = pi[s] @ (tree["reward"][s] + v[tree["next_state"][s]])
    return v
