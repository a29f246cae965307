"""Section 2 of 13_shiq. Returns, values and TD errors."""

import math

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import (
    F64,
    INF,
    SMALL,
    backwards,
    chain,
    first,
    late_and_small,
    path_sum,
    paths,
    returns_of,
    small_mdp,
)

# --- discounted_returns --------------------------------------------------------------------------

RETURN = "G_t = sum over k >= t of gamma^(k - t) r_k, over the real steps of the row."


@exercise("discounted_returns", weight=2)
def test_returns_of_a_ragged_batch(student: Student, draw: Draw):
    """Five rows of lengths 7, 1, 4, 0 and 6, numbers at the padding."""
    lengths, gamma = (7, 1, 4, 0, 6), float(draw.uniform(0.4, 0.9))
    mask, rewards = first(lengths, 7), draw.normal(5, 7) + 2
    want = returns_of(rewards, lengths, gamma)
    clean, powers = rewards * mask, gamma ** torch.arange(7)
    backwards = (clean.flip(1) * 1.0).cumsum(1).flip(1) * mask
    later = torch.zeros_like(clean)
    later[:, :-1] = want[:, 1:]
    expect(student.discounted_returns(rewards, mask, gamma)).close(
        want, RETURN,
        mistakes={
            "Discount from t, not from the beginning: gamma^(k - t).": (
                (clean * powers).flip(1).cumsum(1).flip(1) * mask
            ),
            "You sum what came before, not what follows.": (
                returns_of(clean.flip(1), (7,) * 5, gamma).flip(1) * mask
            ),
            "The padding leaks into the returns.": returns_of(rewards, (7,) * 5, gamma) * mask,
            "The padding leaks into the returns, and is not 0.": (
                returns_of(rewards, (7,) * 5, gamma)
            ),
            "gamma is missing.": backwards,
            "The sum starts at k = t, not behind it.": later,
            "gamma^0 is 1: the reward of step t itself is not discounted.": gamma * want,
        },
    )  # fmt: skip


@exercise("discounted_returns")
def test_padding_is_inert(student: Student, draw: Draw):
    """nan and infinities at the padding; masks of integers and of floating numbers."""
    gamma = 0.8
    for bad, kind, lengths, width in (
        (math.nan, torch.int64, (2, 5, 1), 5),
        (INF, torch.float32, (2, 1, 2), 3),
        (-INF, torch.bool, (1, 3), 4),
    ):
        mask, rewards = first(lengths, width), draw.normal(len(lengths), width)
        filled = torch.where(mask, rewards, bad)
        expect(student.discounted_returns(filled, mask.to(kind), gamma)).close(
            returns_of(rewards, lengths, gamma),
            "What stands at padding, nan included, must not matter: replace it, since 0 * nan is "
            "nan. " + RETURN,
        )


@exercise("discounted_returns")
def test_the_two_extreme_discounts(student: Student, draw: Draw):
    """gamma = 0 and gamma = 1."""
    lengths = (4, 2)
    mask, rewards = first(lengths, 4), draw.normal(2, 4) + 1
    for gamma in (0.0, 1.0):
        expect(student.discounted_returns(rewards, mask, gamma)).close(
            returns_of(rewards, lengths, gamma),
            "gamma = 0 leaves the rewards (0 ** 0 is 1), gamma = 1 gives plain sums.",
        )


@exercise("discounted_returns")
def test_long_rows_and_single_steps(student: Student, draw: Draw):
    """A row of 1200 steps at gamma = 0.5, a batch of one step, and float32."""
    rewards = draw.normal(1, 1200) + 1
    want = torch.zeros(1, 1200, dtype=F64)
    following = 0.0
    for t in reversed(range(1200)):
        following = float(rewards[0, t]) + 0.5 * following
        want[0, t] = following
    expect(student.discounted_returns(rewards, torch.ones(1, 1200), 0.5)).close(
        want, "In a long row gamma^t underflows: do not divide by it."
    )
    single = draw.normal(3, 1, dtype=torch.float32)
    expect(student.discounted_returns(single, torch.ones(3, 1), 0.5)).close(
        single, "A single step's return is its reward, in the dtype of the rewards."
    )


@exercise("discounted_returns")
def test_returns_are_differentiable(student: Student, draw: Draw):
    """The gradient of a weighted sum of the returns."""
    lengths, gamma = (4, 2), 0.7
    mask, rewards, weights = first(lengths, 4), draw.normal(2, 4), draw.normal(2, 4)
    got = student.grad("discounted_returns", rewards, mask, gamma, wrt=(0,), cotangent=weights)
    want = torch.zeros(2, 4, dtype=F64)
    for b, n in enumerate(lengths):
        for k in range(n):
            want[b, k] = sum(gamma ** (k - t) * float(weights[b, t]) for t in range(k + 1))
    expect(got.grads[0]).close(want, "Keep the graph: dG_t / dr_k = gamma^(k - t) for k >= t.")


# --- v_pi_exact ----------------------------------------------------------------------------------

VALUE = "v(s) = sum over a of pi(a|s) (r + v(s')), with v = 0 after the end."


@exercise("v_pi_exact", weight=2)
def test_values_are_sums_over_paths(student: Student, draw: Draw):
    """A random MDP with nonsense in next_state where done; three and four actions."""
    for states, actions in ((6, 3), (4, 4)):
        mdp, pi = small_mdp(draw, states, actions), draw.probs(states, actions)
        r, n, d = mdp["reward"], mdp["next_state"], mdp["done"]
        bootstrapped = torch.zeros(states, dtype=F64)
        for s in reversed(range(states)):
            bootstrapped[s] = pi[s] @ (r[s] + bootstrapped[n[s]])
        expect(student.v_pi_exact(mdp, pi)).close(
            path_sum(mdp, pi, r), VALUE,
            mistakes={
                "You take the best action: v_pi is an expectation.": backwards(
                    mdp, lambda s, v, r=r: (r[s] + v).max()
                ),
                "You bootstrap after the end: where done, next_state means nothing.": bootstrapped,
                "The values of the next states are missing.": (pi * r).sum(1),
                "The actions are weighted equally: use pi.": backwards(
                    mdp, lambda s, v, r=r: (r[s] + v).mean()
                ),
                "The reward of a last step counts as well.": backwards(
                    mdp, lambda s, v, r=r, d=d, pi=pi: pi[s] @ (torch.where(d[s], 0.0, r[s]) + v)
                ),
            },
        )  # fmt: skip


@exercise("v_pi_exact")
def test_a_policy_may_be_deterministic(student: Student, draw: Draw):
    """Probabilities 0 and 1: the value is the return of one path."""
    mdp = small_mdp(draw)
    pi = torch.nn.functional.one_hot(draw.integers(0, 3, 6), 3).double()
    expect(student.v_pi_exact(mdp, pi)).close(path_sum(mdp, pi, mdp["reward"]), VALUE)


@exercise("v_pi_exact")
def test_long_episodes_and_single_states(student: Student, draw: Draw):
    """A chain of 80 states, one with a tiny reward at its end, and an MDP of one state."""
    length = draw.integer(70, 90)
    expect(student.v_pi_exact(chain(length), torch.ones(length, 1, dtype=F64))).close(
        torch.arange(length, 0, -1).double(),
        "A chain of n states with rewards 1 has the values n, n - 1, ..., 1: go on to the end.",
    )
    expect(student.v_pi_exact(late_and_small(9), torch.ones(9, 1, dtype=F64))).close(
        torch.full((9,), 1e-9, dtype=F64), SMALL
    )
    one = small_mdp(draw, 1, 2)
    pi = draw.probs(1, 2)
    expect(student.v_pi_exact(one, pi)).close((pi * one["reward"]).sum(1), VALUE)


# --- td_errors -----------------------------------------------------------------------------------

TD = "delta = r + gamma v(s') - v(s), without v(s') where the episode is done."


def deltas(r, v, done, gamma):
    """The definition, step by step."""
    want = torch.zeros_like(r)
    for b in range(r.shape[0]):
        for t in range(r.shape[1]):
            following = 0.0 if done[b, t] else float(v[b, t + 1])
            want[b, t] = float(r[b, t]) + gamma * following - float(v[b, t])
    return want


@exercise("td_errors", weight=2)
def test_td_errors_of_rollouts(student: Student, draw: Draw):
    """Three rows of five steps; episodes end in the middle and at the end."""
    r, v = 10 * draw.normal(3, 5) + 1, 10 * draw.normal(3, 6) + 2
    done = torch.tensor([[0, 1, 0, 0, 1], [0, 0, 0, 0, 0], [1, 1, 0, 1, 0]], dtype=torch.bool)
    gamma = float(draw.uniform(0.5, 0.8))
    keep = (~done).double()
    own, after = v[:, :-1], v[:, 1:]
    expect(student.td_errors(r, v, done, gamma)).close(
        deltas(r, v, done, gamma), TD,
        mistakes={
            "You bootstrap after the end: that value belongs to the next episode.": (
                r + gamma * after - own
            ),
            "The sign is turned round.": own - r - gamma * keep * after,
            "gamma is missing.": r + keep * after - own,
            "gamma multiplies the value of the next state only.": (
                gamma * (r + keep * after) - own
            ),
            "V(s_t) is used twice: the next value is v[:, t + 1].": r + gamma * keep * own - own,
            "At the end the reward still counts, and so does V(s_t).": (
                keep * (r + gamma * after - own)
            ),
            "At the end V(s_t) is still subtracted.": r + keep * (gamma * after - own),
            "You bootstrap only after the end: done is turned round.": (
                r + gamma * (1 - keep) * after - own
            ),
        },
    )  # fmt: skip


@exercise("td_errors")
def test_with_the_true_value_it_is_the_advantage(student: Student, draw: Draw):
    """Every edge of a small MDP, one step per row, V = v_pi, gamma = 1."""
    mdp, pi = small_mdp(draw, 5, 3), draw.probs(5, 3)
    v = path_sum(mdp, pi, mdp["reward"])
    q = [[sum(math.prod(pi[x, a].item() for x, a in path[1:])
              * sum(mdp["reward"][x, a].item() for x, a in path)
              for path in paths(mdp, s, a)) for a in range(3)] for s in range(5)]  # fmt: skip
    rows = torch.stack([v[:, None].expand(5, 3), v[mdp["next_state"]]], -1).reshape(-1, 2)
    got = student.td_errors(mdp["reward"].reshape(-1, 1), rows, mdp["done"].reshape(-1, 1), 1.0)
    expect(got).close(
        (torch.tensor(q, dtype=F64) - v[:, None]).reshape(-1, 1),
        "With V = v_pi and gamma = 1 the TD error is q(s, a) - v(s). " + TD,
    )


@exercise("td_errors")
def test_one_step_no_discount_single_precision(student: Student, draw: Draw):
    """gamma 0 and 1, a batch of one step, float32."""
    r, v = draw.normal(1, 1, dtype=torch.float32), draw.normal(1, 2, dtype=torch.float32)
    done = torch.zeros(1, 1, dtype=torch.bool)
    for gamma in (0.0, 1.0):
        expect(student.td_errors(r, v, done, gamma)).close(r + gamma * v[:, 1:] - v[:, :1], TD)
