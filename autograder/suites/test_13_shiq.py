"""Hidden suite of 13_shiq.

Strategy: MDPs are small enough to list every path, so values, soft values and regularised values
are sums over paths; the grid is solved once more by a recursion over (time, row, column, flag) that
shares nothing with the course's tables. ShiQ's residuals are written out position by position in
plain Python, must vanish at l_ref + q/beta, and are compared by value and by gradient. Training is
compared, step by step, with a second implementation in numpy whose gradients are derived by hand.
"""

import math
from functools import cache

import numpy as np
import torch

from autograder.suite import Draw, Student, exercise, expect
from sft2rl import grid

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
PRELOAD = ("torch._dynamo",)

F64 = torch.float64
INF = math.inf


def tensor(*values):
    return torch.tensor(values, dtype=F64)


# --- token_mdp_step ------------------------------------------------------------------------------

DONE = "The episode ends with EOS or with the completion's t_max-th token, and is paid then, once."
LATE = "You end one step late: the state that is returned has the new token already."


def asking(value):
    """A reward function, and the list of what it was asked."""
    asked = []

    def reward_fn(prompt, completion):
        asked.append((tuple(prompt), tuple(completion)))
        return value

    return reward_fn, asked


@exercise("token_mdp_step", weight=2)
def test_an_unfinished_step_pays_nothing(student: Student, draw: Draw):
    """First and later tokens, prompts with EOS inside and at the end, prompts longer than t_max."""
    eos = draw.integer(50, 60)
    reward_fn, asked = asking(3.0)
    for prompt, completion in (((4, eos), ()), ((eos, 7, eos), (1, 2)), ((), (3,)), ((5,) * 9, ())):
        action = draw.integer(1, 40)
        got = student.token_mdp_step((prompt, completion), action, reward_fn, eos, 4)
        following = (prompt, (*completion, action))
        expect(got).equals(
            (following, 0.0, False),
            "Nothing has ended: append the token, pay 0.0, done is False.",
            mistakes={
                "The EOS in the prompt ends nothing.": (following, 3.0, True),
                "You pay at every step.": (following, 3.0, False),
                "The action goes to the end of the completion.": ((prompt, completion), 0.0, False),
            },
        )
        expect(got[0]).equals(following, "The state is a tuple of two tuples.", exact=True)
    expect(asked).equals([], "reward_fn is asked about finished completions only.")


@exercise("token_mdp_step", weight=2)
def test_eos_ends_and_pays(student: Student, draw: Draw):
    """EOS as the first, a later and the last possible token."""
    value = float(draw.uniform(-2, -1))
    for eos, completion in ((0, ()), (3, (5, 6)), (draw.integer(20, 99), (5, 6, 7))):
        reward_fn, asked = asking(value)
        got = student.token_mdp_step(((8, 9), completion), eos, reward_fn, eos, 4)
        following = ((8, 9), (*completion, eos))
        mistakes = {
            LATE: (following, 0.0, False),
            "EOS is a token of the completion: append it.": (((8, 9), completion), value, True),
        }
        expect(got).equals((following, value, True), DONE, mistakes)
        expect(asked).equals([following], "reward_fn gets the prompt and the whole completion.")


@exercise("token_mdp_step", weight=2)
def test_a_truncated_completion_ends_and_pays(student: Student, draw: Draw):
    """The t_max-th token is not EOS, for t_max 1 and 3 and prompts of other lengths."""
    value = float(draw.uniform(1, 2))
    for prompt, completion in (((1, 2, 3, 4, 5), ()), ((), ()), ((6,), (5, 6))):
        reward_fn, asked = asking(value)
        action, t_max = draw.integer(10, 40), len(completion) + 1
        got = student.token_mdp_step((prompt, completion), action, reward_fn, 0, t_max)
        following = (prompt, (*completion, action))
        mistakes = {
            "You pay at EOS only: a completion that is cut off is paid as well.": (
                following, 0.0, True,
            ),
            LATE: (following, 0.0, False),
        }  # fmt: skip
        expect(got).equals((following, value, True), DONE, mistakes)
        expect(asked).equals([following], "reward_fn gets the prompt and the whole completion.")


@exercise("token_mdp_step")
def test_nothing_follows_the_end(student: Student, draw: Draw):
    """A step from a completion that ends with EOS, and from one that is full."""
    reward_fn, asked = asking(1.0)
    action = draw.integer(3, 9)
    for completion, t_max in (((5, 0), 6), ((0,), 2), ((5, 6, 7), 3), ((5,), 1)):
        raised = student.raised("token_mdp_step", ((2,), completion), action, reward_fn, 0, t_max)
        expect(raised).equals(
            "ValueError", "A finished episode has no next step: raise ValueError."
        )
    expect(asked).equals([], "A finished episode is not paid a second time.")


# --- discounted_returns --------------------------------------------------------------------------

RETURN = "G_t = sum over k >= t of gamma^(k - t) r_k, over the real steps of the row."


def returns_of(rewards, lengths, gamma):
    """The definition, position by position."""
    want = torch.zeros_like(rewards)
    for b, n in enumerate(lengths):
        for t in range(n):
            want[b, t] = sum(gamma ** (k - t) * float(rewards[b, k]) for k in range(t, n))
    return want


def first(lengths, width):
    """[B, T] bool, True on the first positions of each row."""
    return torch.arange(width) < torch.tensor(lengths)[:, None]


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


# --- small MDPs ----------------------------------------------------------------------------------


def small_mdp(draw, states=6, actions=3):
    """A random MDP: successors have larger numbers, nonsense where done."""
    reward = draw.normal(states, actions) + 0.5
    next_state = torch.zeros(states, actions, dtype=torch.int64)
    done = torch.zeros(states, actions, dtype=torch.bool)
    for s in range(states):
        for a in range(actions):
            done[s, a] = s == states - 1 or (a == s % actions)
            low = 0 if done[s, a] else s + 1
            next_state[s, a] = draw.integer(low, states)
        if s < states - 1:  # one action leads one state on: every depth occurs
            next_state[s, (s + 1) % actions] = s + 1
    return {"reward": reward, "next_state": next_state, "done": done}


def paths(mdp, state, action=None):
    """Every way to the end from a state: lists of (state, action)."""
    actions = range(mdp["done"].shape[1]) if action is None else (action,)
    for a in actions:
        if mdp["done"][state, a]:
            yield [(state, a)]
        else:
            for rest in paths(mdp, int(mdp["next_state"][state, a])):
                yield [(state, a), *rest]


def path_sum(mdp, pi, gain):
    """[S] expectation under pi of the sum of gain[s, a] along the paths from each state."""
    pi, gain = pi.tolist(), gain.tolist()
    values = []
    for s in range(len(pi)):
        total = 0.0
        for path in paths(mdp, s):
            p = math.prod(pi[x][a] for x, a in path)
            if p > 0:
                total += p * sum(gain[x][a] for x, a in path)
        values.append(total)
    return tensor(*values)


def backwards(mdp, step):
    """[S] by `step(state, following [A])`, from the last state to the first."""
    v = torch.zeros(len(mdp["done"]), dtype=F64)
    for s in reversed(range(len(v))):
        following = torch.where(mdp["done"][s], torch.zeros((), dtype=F64), v[mdp["next_state"][s]])
        v[s] = step(s, following)
    return v


def chain(length):
    """One action, `length` states, rewards 1: the deepest MDP of its size."""
    return {
        "reward": torch.ones(length, 1, dtype=F64),
        "next_state": (torch.arange(length)[:, None] + 1).clamp(max=length - 1),
        "done": torch.arange(length)[:, None] == length - 1,
    }


def late_and_small(length):
    """The same chain with a single reward of 1e-9, at its end."""
    mdp = chain(length)
    return mdp | {"reward": 1e-9 * mdp["done"].double()}


SMALL = "The values of a chain are its last reward, however small: go on until nothing changes."


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


# --- turn_mask -----------------------------------------------------------------------------------

MINE = "1 on every token of an assistant turn, its end-of-turn token included; 0 elsewhere."


@exercise("turn_mask", weight=2)
def test_only_assistant_turns_are_marked(student: Student, draw: Draw):
    """Keyed lengths; all turns end with the same token; two assistant turns in a row."""
    roles = ["system", "user", "assistant", "tool", "assistant", "assistant", "user"]
    lengths = [draw.integer(2, 6) for _ in roles]
    turns = [[*draw.integers(1, 50, n - 1).tolist(), 0] for n in lengths]

    def flat(mark):
        return torch.tensor([m for k, n in enumerate(lengths) for m in mark(k, n)])

    mine = [role == "assistant" for role in roles]
    expect(student.turn_mask(roles, turns)).equals(
        flat(lambda k, n: [int(mine[k])] * n), MINE,
        mistakes={
            "The end-of-turn token of an assistant turn is an action too.": flat(
                lambda k, n: [int(mine[k])] * (n - 1) + [0]
            ),
            "The end-of-turn tokens of others are not the policy's.": flat(
                lambda k, n: [int(mine[k])] * (n - 1) + [1]
            ),
            "Only the last assistant turn is marked.": flat(lambda k, n: [int(k == 5)] * n),
            "Everything but the user is marked: system and tool are not the policy.": flat(
                lambda k, n: [int(roles[k] != "user")] * n
            ),
            "Tool results are not the policy's.": flat(
                lambda k, n: [int(roles[k] in ("assistant", "tool"))] * n
            ),
            "The mask is the wrong way round.": flat(lambda k, n: [int(not mine[k])] * n),
            "The first token of a turn belongs to it.": flat(
                lambda k, n: [0] + [int(mine[k])] * (n - 1)
            ),
        },
    )  # fmt: skip


@exercise("turn_mask")
def test_empty_turns_and_empty_conversations(student: Student, draw: Draw):
    """An empty turn has no token, a conversation without turns none at all; unusual names."""
    a, b = draw.integer(1, 9), draw.integer(1, 9)
    got = student.turn_mask(["assistant", "user", "assistant", "user"], [[a], [], [], [a, b]])
    expect(got).equals(torch.tensor([1, 0, 0]), MINE)
    roles = ["developer", "assistant", "critic", "assistant 2", "function", ""]
    expect(student.turn_mask(roles, [[a], [b], [a], [b], [a], [b]])).equals(
        torch.tensor([0, 1, 0, 0, 0, 0]), 'Only "assistant" is the policy, any other name is not.'
    )
    empty = torch.zeros(0, dtype=torch.int64)
    message = "Without tokens the mask is an int64 tensor of shape [0]."
    expect(student.turn_mask([], [])).equals(empty, message)
    expect(student.turn_mask(["user"], [[]])).equals(empty, message)


@exercise("turn_mask")
def test_each_turn_has_a_role(student: Student, draw: Draw):
    """More turns than roles, and more roles than turns."""
    for roles, turns in ((["user"], [[1], [2]]), (["user", "assistant"], [[1]])):
        raised = student.raised("turn_mask", roles, turns)
        expect(raised).equals("ValueError", "Raise ValueError when the two lists differ in length.")


# --- multi_turn_return ---------------------------------------------------------------------------

TURNS = "Sum the rewards of the tokens with turns == k for each k, and sum over the turns."


def per_turn(rewards, turns, number):
    """The definition, token by token."""
    want = torch.zeros(len(rewards), number, dtype=rewards.dtype)
    for b in range(rewards.shape[0]):
        for t in range(rewards.shape[1]):
            if turns[b, t] >= 0:
                want[b, turns[b, t]] += rewards[b, t]
    return want


def expect_turns(got, want, mistakes=None):
    both = {text: (value, value.sum(1)) for text, value in (mistakes or {}).items()}
    expect(got).true(
        isinstance(got, tuple | list) and len(got) == 2, "Return two tensors: (per_turn, total)."
    )
    totals = {
        "The total counts the last turn only.": (want, want[:, -1]),
        "The total is the average over the turns.": (want, want.mean(1)),
    }
    expect(got).close((want, want.sum(1)), TURNS, both | totals, scale=1.0)


@exercise("multi_turn_return", weight=2)
def test_rewards_per_turn_and_in_total(student: Student, draw: Draw):
    """Three conversations of three, two and one turns, rewards everywhere."""
    turns = torch.tensor([
        [-1, 0, 0, -1, 1, 1, 1, -1, 2],
        [-1, -1, 0, 1, 1, -1, -1, -1, -1],
        [0, 0, -1, 0, 0, -1, -1, -1, -1],
    ])  # fmt: skip
    rewards = draw.normal(3, 9) + 2
    want = per_turn(rewards, turns, 3)
    wrapped = want.clone()
    wrapped[:, -1] += (rewards * (turns < 0)).sum(1)
    shifted = per_turn(rewards, turns.clamp(min=0), 3)
    count = per_turn(torch.ones_like(rewards), turns, 3).clamp(min=1)
    last = want.clone()
    for b in range(3):
        for k in range(3):
            own = (turns[b] == k).nonzero()
            last[b, k] = rewards[b, int(own[-1])] if len(own) else 0.0
    expect_turns(
        student.multi_turn_return(rewards, turns, 3),
        want,
        {
            "-1 is no turn; as an index it is the last one.": wrapped,
            "Tokens of others were counted in turn 0.": shifted,
            "Rewards within a turn are averaged: sum them.": want / count,
            "Only the last token of each turn was counted.": last,
        },
    )


@exercise("multi_turn_return")
def test_more_columns_than_turns(student: Student, draw: Draw):
    """K larger than any turn, a batch of one, and a conversation that is all padding."""
    rewards = draw.normal(2, 4)
    turns = torch.tensor([[-1, 0, 0, -1], [-1, -1, -1, -1]])
    expect_turns(student.multi_turn_return(rewards, turns, 4), per_turn(rewards, turns, 4))
    expect_turns(
        student.multi_turn_return(rewards[:1], turns[:1], 1), per_turn(rewards[:1], turns[:1], 1)
    )


@exercise("multi_turn_return")
def test_what_others_earn_does_not_matter(student: Student, draw: Draw):
    """nan and infinity at tokens that are not the policy's; float32."""
    turns = torch.tensor([[-1, 1, 0, -1], [0, -1, 1, -1]])
    rewards = draw.normal(2, 4, dtype=torch.float32)
    want = per_turn(rewards, turns, 2)
    for bad in (math.nan, INF):
        filled = torch.where(turns >= 0, rewards, bad)
        expect(student.multi_turn_return(filled, turns, 2)).close(
            (want, want.sum(1)),
            "What stands at tokens of others, nan included, must not matter; keep the dtype.",
        )


# --- soft_value, soft_optimal_policy -------------------------------------------------------------

SOFT = "v = beta ln sum_a pi_ref(a) exp(q(a) / beta)."


@exercise("soft_value", weight=2)
def test_soft_values_of_a_batch(student: Student, draw: Draw):
    """Two batches of states with four actions, a non-uniform reference, beta above and below 1."""
    for beta in (float(draw.uniform(0.3, 0.7)), float(draw.uniform(1.5, 3.0))):
        q, ref = draw.normal(2, 3, 4), draw.probs(2, 3, 4)

        def log_of(x):
            return x.sum(-1).log()

        expect(student.soft_value(q, ref.log(), beta)).close(
            beta * log_of(ref * (q / beta).exp()), SOFT,
            mistakes={
                "pi_ref is missing.": beta * log_of((q / beta).exp()),
                "The beta in front is missing.": log_of(ref * (q / beta).exp()),
                "The 1 / beta inside is missing.": beta * log_of(ref * q.exp()),
                "beta is missing.": log_of(ref * q.exp()),
                "beta is on the wrong side: divide inside, multiply outside.": (
                    log_of(ref * (q * beta).exp()) / beta
                ),
                "This is the maximum.": q.max(-1).values,
                "This is the mean under pi_ref.": (ref * q).sum(-1),
                "pi_ref is counted with its own 1 / beta.": (
                    beta * log_of((ref.log() / beta + q / beta).exp())
                ),
                "The reference's logarithm was used as a probability.": (
                    beta * torch.log((ref.log() * (q / beta).exp()).sum(-1))
                ),
                "This is the mean under the optimal policy, without its KL term.": (
                    ((ref * (q / beta).exp()) / (ref * (q / beta).exp()).sum(-1, keepdim=True) * q)
                    .sum(-1)
                ),
            },
        )  # fmt: skip


@exercise("soft_value")
def test_both_limits_of_the_leash(student: Student, draw: Draw):
    """beta = 1e-5 gives the maximum, beta = 1e5 the mean under the reference."""
    q, ref = torch.tensor(draw.shuffled([0.3, 1.0, 1.6])), draw.probs(3)
    q = q.double()
    expect(student.soft_value(q, ref.log(), 1e-5)).close(
        q.max(), "For beta -> 0 the soft value tends to max q. " + SOFT, rtol=1e-4
    )
    expect(student.soft_value(q, ref.log(), 1e5)).close(
        (ref * q).sum(), "For beta -> infinity it tends to the mean of q. " + SOFT, rtol=1e-4
    )


@exercise("soft_value")
def test_large_numbers_and_impossible_actions(student: Student, draw: Draw):
    """q / beta of plus and minus thousands; ln pi_ref = -inf."""
    q = draw.normal(2, 3) + tensor([0.0, 4.0, 0.0], [4.0, 0.0, 4.0])
    ref = tensor([0.3, 0.0, 0.7], [0.0, 1.0, 0.0])
    want = 0.1 * (ref * (q / 0.1).exp()).sum(-1).log()
    for shift in (tensor(0.0, 0.0), tensor(5000.0, -5000.0), tensor(-5000.0, 5000.0)):
        expect(student.soft_value(q + shift[:, None], ref.log(), 0.1)).close(
            want + shift,
            "q + c gives v + c for any c, and an action with pi_ref = 0 drops out: use logsumexp.",
            rtol=1e-9,
        )
    likely, never = float(draw.uniform(1, 2)), float(draw.uniform(900, 1000))
    expect(student.soft_value(tensor(likely, never), tensor(1.0, 0.0).log(), 1e-8)).close(
        tensor(likely)[0],
        "An action that the reference never takes drops out, however good it is: -inf stays -inf.",
    )


@exercise("soft_value")
def test_its_gradient_is_the_policy(student: Student, draw: Draw):
    """dv / dq for two states, and float32."""
    q, ref = draw.normal(2, 3), draw.probs(2, 3)
    weight = ref * (q / 0.4).exp()
    got = student.grad("soft_value", q, ref.log(), 0.4, wrt=(0,), cotangent=tensor(1.0, 2.0))
    expect(got.grads[0]).close(
        tensor([1.0], [2.0]) * weight / weight.sum(-1, keepdim=True),
        "dv / dq is the optimal policy: keep the graph to q.",
    )
    single = student.soft_value(q.float(), ref.log().float(), 0.4)
    want = (0.4 * weight.sum(-1).log()).float()
    expect(single).close(want, "The result has the dtype of q.")


@exercise("soft_optimal_policy", weight=2)
def test_the_policy_of_a_batch(student: Student, draw: Draw):
    """Five states, four actions, a non-uniform reference."""
    for beta in (float(draw.uniform(0.3, 0.7)), float(draw.uniform(1.5, 3.0))):
        q, ref = draw.normal(5, 4), draw.probs(5, 4)

        def normal(x):
            return x / x.sum(-1, keepdim=True)

        want = normal(ref * (q / beta).exp())
        over_states = ref * (q / beta).exp()
        expect(student.soft_optimal_policy(q, ref.log(), beta)).close(
            want, "pi(a|s) is proportional to pi_ref(a|s) exp(q(s, a) / beta).",
            mistakes={
                "pi_ref is missing.": normal((q / beta).exp()),
                "pi_ref and beta are missing.": normal(q.exp()),
                "1 / beta is missing.": normal(ref * q.exp()),
                "Divide by beta, do not multiply.": normal(ref * (q * beta).exp()),
                "These are logarithms: return probabilities.": want.log(),
                "pi_ref is divided by beta as well.": normal(ref ** (1 / beta) * (q / beta).exp()),
                "Normalise over the actions, not over the states.": (
                    over_states / over_states.sum(0, keepdim=True)
                ),
                "It is not normalised.": over_states,
                "The rows are averaged with the reference.": (want + ref) / 2,
                "This is the greedy policy.": torch.nn.functional.one_hot(q.argmax(-1), 4).double(),
            },
        )  # fmt: skip


@exercise("soft_optimal_policy")
def test_policies_of_large_values_and_impossible_actions(student: Student, draw: Draw):
    """q / beta of thousands; ln pi_ref = -inf; one state without a batch; float32."""
    q = draw.normal(2, 3) + tensor([0.0, 4.0, 0.0], [4.0, 0.0, 4.0])
    ref = tensor([0.3, 0.0, 0.7], [0.0, 1.0, 0.0])
    shift = tensor([4000.0], [-4000.0])
    for beta, c in ((0.02, shift), (0.1, -shift)):
        want = ref * (q / beta).exp()
        want = want / want.sum(-1, keepdim=True)
        expect(student.soft_optimal_policy(q + c, ref.log(), beta)).close(
            want,
            "q + c gives the same policy for any c, and 0 where pi_ref is 0; beta may be small.",
            rtol=1e-8,
        )
    never = tensor(1.0, float(draw.uniform(900, 1000)), 1.0)
    expect(student.soft_optimal_policy(never, tensor(0.3, 0.0, 0.7).log(), 1e-8)).close(
        tensor(0.3, 0.0, 0.7),
        "An action that the reference never takes stays at 0, however good it is.",
        rtol=1e-6,
    )
    single = student.soft_optimal_policy(q[0].float(), ref[0].log().float(), 0.1)
    expect(single).close(want[0].float(), "One state: [A] in, [A] out, in the dtype of q.")


# --- soft_bellman_backup -------------------------------------------------------------------------

BACKUP = "q(s, a) = r(s, a) + gamma v(s'), v the soft value of q, and 0 after the end."


def soft_oracle(mdp, ref, beta, gamma=1.0, slip=""):
    """[S, A] by scalar recursion; `slip` names a typical mistake."""
    r, n, d = mdp["reward"], mdp["next_state"], mdp["done"]
    states, actions = r.shape
    q, v = torch.zeros(states, actions, dtype=F64), torch.zeros(states, dtype=F64)
    for s in reversed(range(states)):
        for a in range(actions):
            ended = bool(d[s, a]) and slip != "bootstrap"
            following = 0.0 if ended else float(v[n[s, a]])
            discount = 1.0 if slip == "no gamma" else gamma
            q[s, a] = r[s, a] + discount * following
            if slip == "gamma on r":
                q[s, a] = gamma * (r[s, a] + following)
            if slip == "no reward at the end" and ended:
                q[s, a] = 0.0
        weight = torch.ones(actions, dtype=F64) if slip == "no ref" else ref[s]
        if slip == "uniform":
            weight = torch.full((actions,), 1 / actions, dtype=F64)
        outer = 1.0 if slip == "no beta" else beta
        v[s] = outer * (weight * (q[s] / beta).exp()).sum().log()
        if slip == "hard":
            v[s] = q[s].max()
        if slip == "mean":
            v[s] = ref[s] @ q[s]
        if slip == "own mean":
            v[s] = torch.softmax(ref[s].log() + q[s] / beta, 0) @ q[s]
    return q


BACKUP_SLIPS = {
    "bootstrap": "You bootstrap after the end: where done, next_state means nothing.",
    "no gamma": "gamma is missing.",
    "gamma on r": "gamma multiplies the next value only, not the reward.",
    "no reward at the end": "The reward of the last step is missing.",
    "no ref": "pi_ref is missing in the soft value.",
    "uniform": "pi_ref is not uniform.",
    "no beta": "The beta in front of the logarithm is missing.",
    "hard": "This is the hard maximum: back up the soft value.",
    "mean": "This is the mean under pi_ref: back up the soft value.",
    "own mean": "The KL term is missing: v is beta ln Z, not the mean of q under pi_*.",
}


def backup_mistakes(mdp, ref, beta, gamma):
    return {text: soft_oracle(mdp, ref, beta, gamma, slip) for slip, text in BACKUP_SLIPS.items()}


def backup(student, mdp, ref, beta, *gamma):
    return student.soft_bellman_backup(
        mdp["reward"], mdp["next_state"], mdp["done"], ref.log(), beta, *gamma
    )


@exercise("soft_bellman_backup", weight=2)
def test_without_discount_it_is_the_sequence_optimum(student: Student, draw: Draw):
    """q(s, a) = beta ln of the sum over all paths of pi_ref exp(R / beta); gamma by default."""
    mdp, ref, beta = small_mdp(draw, 5, 3), draw.probs(5, 3), float(draw.uniform(0.5, 0.8))
    want = torch.zeros(5, 3, dtype=F64)
    for s in range(5):
        for a in range(3):
            want[s, a] = beta * math.log(sum(
                math.prod(float(ref[x, b]) for x, b in path[1:])
                * math.exp(sum(float(mdp["reward"][x, b]) for x, b in path) / beta)
                for path in paths(mdp, s, a)
            ))  # fmt: skip
    mistakes = backup_mistakes(mdp, ref, beta, 1.0)
    expect(backup(student, mdp, ref, beta)).close(want, BACKUP, mistakes, rtol=1e-8)


@exercise("soft_bellman_backup", weight=2)
def test_with_a_discount(student: Student, draw: Draw):
    """Six states, a non-uniform reference, gamma below 1."""
    mdp, ref, beta = small_mdp(draw), draw.probs(6, 3), float(draw.uniform(1.3, 2.0))
    for gamma in (float(draw.uniform(0.4, 0.8)), 0.0):
        want = soft_oracle(mdp, ref, beta, gamma)
        mistakes = backup_mistakes(mdp, ref, beta, gamma)
        expect(backup(student, mdp, ref, beta, gamma)).close(want, BACKUP, mistakes, rtol=1e-8)


@exercise("soft_bellman_backup")
def test_impossible_actions_and_a_short_leash(student: Student, draw: Draw):
    """ln pi_ref = -inf, and rewards of thousands of beta."""
    mdp, ref = small_mdp(draw, 4, 3), draw.probs(4, 3)
    ref[:, draw.integer(0, 2)] = 0.0
    ref = ref / ref.sum(1, keepdim=True)
    expect(backup(student, mdp, ref, 0.7, 0.9)).close(
        soft_oracle(mdp, ref, 0.7, 0.9),
        "An action with ln pi_ref = -inf drops out of the soft value. " + BACKUP, rtol=1e-8,
    )  # fmt: skip
    high = mdp | {"reward": mdp["reward"] + 1000.0}
    # A constant per step moves q, not the comparison within one length of path.
    one = {"reward": high["reward"][-1:], "next_state": high["next_state"][-1:] * 0,
           "done": high["done"][-1:]}  # fmt: skip
    expect(backup(student, one, ref[-1:], 0.01)).close(one["reward"], BACKUP)
    two = {
        "reward": tensor([0.0], [1000.0]), "next_state": torch.tensor([[1], [0]]),
        "done": torch.tensor([[False], [True]]),
    }  # fmt: skip
    expect(backup(student, two, torch.ones(2, 1, dtype=F64), 0.01)).close(
        tensor([1000.0], [1000.0]), "q / beta of 100000 must not overflow."
    )


@exercise("soft_bellman_backup")
def test_deep_mdps_are_solved_to_the_end(student: Student, draw: Draw):
    """A chain of 80 states: q counts down; a short one with a tiny reward at its end."""
    length = draw.integer(70, 90)
    expect(backup(student, chain(length), torch.ones(length, 1, dtype=F64), 0.5)).close(
        torch.arange(length, 0, -1).double()[:, None],
        "With one action and rewards 1, q is the number of steps left: go on to the end.",
    )
    expect(backup(student, late_and_small(9), torch.ones(9, 1, dtype=F64), 0.5)).close(
        torch.full((9, 1), 1e-9, dtype=F64), SMALL, rtol=1e-6
    )


# --- evaluate_policy_kl --------------------------------------------------------------------------

PAID = "v(s) = sum over a of pi (r - beta ln(pi / pi_ref) + v(s')), with v = 0 after the end."


@exercise("evaluate_policy_kl", weight=2)
def test_regularised_values_are_sums_over_paths(student: Student, draw: Draw):
    """Six states, a policy and a reference, beta above and below 1."""
    for beta in (float(draw.uniform(0.3, 0.7)), float(draw.uniform(1.5, 2.5))):
        mdp, pi, ref = small_mdp(draw), draw.probs(6, 3), draw.probs(6, 3)
        r, ratio = mdp["reward"], (pi / ref).log()
        kl, reverse = (pi * ratio).sum(1), -(ref * ratio).sum(1)
        plain = path_sum(mdp, pi, r)
        expect(student.evaluate_policy_kl(mdp, pi, ref, beta)).close(
            path_sum(mdp, pi, r - beta * ratio), PAID,
            mistakes={
                "The penalty is paid in every state, not only in the first.": plain - beta * kl,
                "The penalty is missing.": plain,
                "The penalty is added: subtract it.": path_sum(mdp, pi, r + beta * ratio),
                "beta is missing.": path_sum(mdp, pi, r - ratio),
                "Use the KL divergence from pi_ref, not the entropy of pi.": path_sum(
                    mdp, pi, r - beta * pi.log()
                ),
                "This is KL(ref || pi): the divergence goes the other way.": path_sum(
                    mdp, pi, r - beta * reverse[:, None]
                ),
                "The expectation is taken under pi_ref: it is under pi.": path_sum(
                    mdp, ref, r - beta * ratio
                ),
                "The last step is penalised as well.": path_sum(
                    mdp, pi, r - beta * ratio * ~mdp["done"]
                ),
            },
        )  # fmt: skip


@exercise("evaluate_policy_kl")
def test_probabilities_may_be_zero(student: Student, draw: Draw):
    """Actions that pi never takes, with and without the reference taking them; and rare actions."""
    mdp, pi, ref = small_mdp(draw), draw.probs(6, 3), draw.probs(6, 3)
    pi[:, 0] = 0.0
    ref[3, 0] = 0.0
    pi, ref = pi / pi.sum(1, keepdim=True), ref / ref.sum(1, keepdim=True)
    ratio = torch.where(pi > 0, pi, 1.0).log() - torch.where(pi > 0, ref, 1.0).log()
    zero = "0 ln 0 is 0: an action with probability 0 contributes nothing, and nothing is clamped. "
    expect(student.evaluate_policy_kl(mdp, pi, ref, 0.5)).close(
        path_sum(mdp, pi, mdp["reward"] - 0.5 * ratio), zero + PAID
    )
    one = {"reward": tensor([1.0, 1.0]), "next_state": torch.zeros(1, 2, dtype=torch.int64),
           "done": torch.ones(1, 2, dtype=torch.bool)}  # fmt: skip
    for rare, ref in (
        (tensor(1e-3, 1 - 1e-3), tensor(1 - 1e-12, 1e-12)),
        (tensor(1e-6, 1 - 1e-6), tensor(0.9, 0.1)),
    ):
        got = student.evaluate_policy_kl(one, rare[None], ref[None], 1.0)
        want = 1 - (rare * (rare / ref).log()).sum()
        expect(got).close(want[None], zero + PAID)


@exercise("evaluate_policy_kl")
def test_the_optimum_has_no_regret(student: Student, draw: Draw):
    """At pi_* the value is the soft value; at pi_ref and for beta = 0 the plain value."""
    mdp, ref, beta = small_mdp(draw), draw.probs(6, 3), 0.6
    q = soft_oracle(mdp, ref, beta)
    best = torch.softmax(ref.log() + q / beta, 1)
    expect(student.evaluate_policy_kl(mdp, best, ref, beta)).close(
        beta * (ref * (q / beta).exp()).sum(1).log(),
        "At pi_* the value of every state is its soft value. " + PAID, rtol=1e-8,
    )  # fmt: skip
    expect(student.evaluate_policy_kl(mdp, ref, ref, beta)).close(
        path_sum(mdp, ref, mdp["reward"]), "At pi = pi_ref nothing is paid. " + PAID
    )
    expect(student.evaluate_policy_kl(mdp, best, ref, 0.0)).close(
        path_sum(mdp, best, mdp["reward"]), "With beta = 0 nothing is paid. " + PAID
    )


@exercise("evaluate_policy_kl")
def test_deep_mdps_are_evaluated_to_the_end(student: Student, draw: Draw):
    """Chains with one action: 80 states, and a short one with a tiny reward at its end."""
    length = draw.integer(70, 90)
    ones = torch.ones(length, 1, dtype=F64)
    expect(student.evaluate_policy_kl(chain(length), ones, ones, 0.5)).close(
        torch.arange(length, 0, -1).double(), "The values count the steps left: go on to the end."
    )
    ones = ones[:9]
    expect(student.evaluate_policy_kl(late_and_small(9), ones, ones, 0.5)).close(
        torch.full((9,), 1e-9, dtype=F64), SMALL
    )


# --- the grid, once more -------------------------------------------------------------------------


@cache
def solve_grid(kind, beta, horizon=12, slip=""):
    """{(t, row, col, flag): (v, q of the four moves)} by recursion; rows and columns from 1."""
    goal, prize = ((5, 5), 7.0) if kind == "final" else ((3, 5), 4.0)
    table = {}

    def move(row, col, flag, action):
        dr, dc = ((-1, 0), (1, 0), (0, -1), (0, 1))[action]
        new = (min(max(row + dr, 1), 5), min(max(col + dc, 1), 5))
        reward, entered = 0.0, new != (row, col)
        if kind == "fine" and entered and new == (2, 4) and (not flag or slip == "again"):
            reward, flag = 3.0, 1
        if slip == "leaving":
            return new, flag, 0.0, False
        if entered and new == goal:
            return new, flag, reward + prize, True
        return new, flag, reward, False

    @cache
    def value(t, row, col, flag):
        if t == horizon:
            return 0.0
        if slip == "leaving" and (row, col) == goal:
            return prize
        q = []
        for action in range(4):
            (r2, c2), f2, reward, ended = move(row, col, flag, action)
            q.append(reward + (0.0 if ended else value(t + 1, r2, c2, f2)))
        v = beta * math.log(sum(math.exp(x / beta) for x in q) / (1 if slip == "no ref" else 4))
        table[t, row, col, flag] = (v, q)
        return v

    value(0, 1, 1, 0)
    return table


def best_value(kind, beta, **other):
    return solve_grid(kind, beta, **other)[0, 1, 1, 0][0]


GRID = "State P t + place, the twelfth move ends the episode: then solve with a uniform reference."


def place_of(kind, row, col, flag):
    return 25 * flag + 5 * (row - 1) + col - 1


def three_parts(got):
    shaped = isinstance(got, tuple | list) and len(got) == 3 and isinstance(got[0], dict)
    expect(got).true(shaped, "Return three things: (mdp, pi, value), mdp a dict.")
    return got


def check_optimum(student, kind, beta, arguments):
    table = solve_grid(kind, beta)
    _, pi, value = three_parts(student.grid_soft_optimum(*arguments))
    expect(value).close(
        table[0, 1, 1, 0][0], "value is J(pi_*), the soft value of the start. " + GRID,
        mistakes={
            "Is there no clock in your MDP, or is this the hard maximum?": 7.0,
            "The episode has twelve moves, and the twelfth is paid: this is the value of eleven.": (
                best_value(kind, beta, horizon=11)
            ),
            "The episode has twelve moves, yours thirteen.": best_value(kind, beta, horizon=13),
            "beta is not used.": best_value(kind, 1.0) if beta != 1 else -1.0,
            "Rewards are paid on entering, not on leaving.": best_value(kind, beta, slip="leaving"),
            "The +3 is paid once: use the flag.": (
                best_value(kind, beta, slip="again") if kind == "fine" else -1.0
            ),
            "pi_ref is missing: the reference is uniform.": best_value(kind, beta, slip="no ref"),
        },
        rtol=1e-8,
    )  # fmt: skip
    number = 12 * (25 if kind == "final" else 50)
    pi = expect(pi).tensor((number, 4), F64, "pi is [12 P, 4], float64.")
    keys = sorted(table)
    rows = [number // 12 * t + place_of(kind, row, col, flag) for t, row, col, flag in keys]
    want = torch.tensor([table[key][1] for key in keys], dtype=F64) / beta
    expect(pi[rows]).close(
        want.softmax(1),
        "The policy of a place changes with the time left. pi(a|s) ~ pi_ref exp(q / beta). " + GRID,
        mistakes={"The clock runs backwards: t counts the moves made.": torch.zeros(0, dtype=F64)},
        rtol=1e-8,
    )


@exercise("grid_soft_optimum", weight=2)
def test_the_final_reward_grid(student: Student, draw: Draw):
    """Value and policy in every place that can be reached, beta = 1 by default."""
    check_optimum(student, "final", 1.0, ("final",))


@exercise("grid_soft_optimum", weight=2)
def test_the_fine_grained_grid(student: Student, draw: Draw):
    """Value and policy in every place that can be reached, beta = 1 by default."""
    check_optimum(student, "fine", 1.0, ("fine",))


@exercise("grid_soft_optimum")
def test_other_leashes(student: Student, draw: Draw):
    """beta below and above 1."""
    for kind, beta in (("final", draw.uniform(0.3, 0.6)), ("fine", draw.uniform(1.5, 2.5))):
        check_optimum(student, kind, float(beta), (kind, float(beta)))


@exercise("grid_soft_optimum", weight=2)
def test_the_tables_with_a_clock(student: Student, draw: Draw):
    """reward, done and next_state of every state; next_state only where the episode goes on."""
    for kind in ("final", "fine"):
        mdp, _, _ = three_parts(student.grid_soft_optimum(kind))
        expect(set(mdp)).equals(
            {"reward", "next_state", "done"}, "mdp has the keys reward, next_state and done."
        )
        world = grid.places(kind)
        number = len(world["done"])
        done = world["done"].repeat(12, 1)
        done[-number:] = True
        following = torch.cat([world["next_place"] + number * (t + 1) for t in range(12)])
        expect(mdp["done"]).equals(done, "done: a goal was entered, or this was the twelfth move.")
        expect(mdp["reward"]).close(
            world["reward"].repeat(12, 1), "The reward of a move does not depend on the time."
        )
        got = expect(mdp["next_state"]).tensor(
            (12 * number, 4), torch.int64, "next_state is [12 P, 4], int64."
        )
        expect(got[~done]).equals(
            following[~done], "From P t + place a move leads to P (t + 1) + its next place."
        )
        valid = bool(((got >= 0) & (got < 12 * number)).all())
        expect(got).true(valid, "next_state is a valid state number everywhere, also where done.")
    raised = student.raised("grid_soft_optimum", draw.word())
    expect(raised).equals("ValueError", "An unknown kind raises ValueError.")


# --- ShiQ: bandit --------------------------------------------------------------------------------

BANDIT = "The mean of (R - beta (l - l_ref))^2 over the samples, in raw logits."


def bandit(draw, n=9):
    ref = draw.normal(4)
    logits = ref + tensor(1.2, -1.5, 0.6, -0.8) + draw.uniform(-0.3, 0.3, 4)
    action = torch.tensor([3, 0, 0, 2, 1, 3, 3, 0, 2])[:n]
    return logits, ref, action, draw.normal(n) + 1.5


@exercise("shiq_bandit_loss", weight=2)
def test_the_bandit_loss(student: Student, draw: Draw):
    """Nine samples of four arms, beta above and below 1."""
    for beta in (float(draw.uniform(0.3, 0.6)), float(draw.uniform(1.5, 2.5))):
        logits, ref, action, R = bandit(draw)
        shift = (logits - ref)[action]
        h = (logits.log_softmax(0) - ref.log_softmax(0))[action]
        expect(student.shiq_bandit_loss(logits, ref, action, R, beta)).close(
            ((R - beta * shift) ** 2).mean(), BANDIT,
            mistakes={
                "You use log-probabilities: ShiQ reads the raw logits.": (
                    (R - beta * h) ** 2
                ).mean(),
                "The reference is missing.": ((R - beta * logits[action]) ** 2).mean(),
                "beta is missing.": ((R - shift) ** 2).mean(),
                "beta multiplies the logits, not the reward.": ((beta * R - shift) ** 2).mean(),
                "Divide nothing: beta multiplies the logits.": ((R / beta - shift) ** 2).mean(),
                "Average over the samples.": ((R - beta * shift) ** 2).sum(),
                "The sign of the logits is turned round.": ((R + beta * shift) ** 2).mean(),
                "The mean is squared: square first.": (R - beta * shift).mean() ** 2,
                "There is no factor 1/2.": ((R - beta * shift) ** 2).mean() / 2,
                "The square is missing.": (R - beta * shift).abs().mean(),
            },
        )  # fmt: skip


@exercise("shiq_bandit_loss")
def test_the_gradient_of_the_bandit_loss(student: Student, draw: Draw):
    """The gradient in the logits; 0 at l_ref + R / beta."""
    logits, ref, action, R = bandit(draw)
    got = student.grad("shiq_bandit_loss", logits, ref, action, R, 0.4, wrt=(0,))
    want = torch.zeros(4, dtype=F64)
    for a, reward in zip(action.tolist(), R.tolist(), strict=True):
        want[a] += -2 * 0.4 * (reward - 0.4 * float(logits[a] - ref[a])) / 9
    expect(got.grads[0]).close(want, "Differentiate through the raw logits only. " + BANDIT)
    arms = draw.normal(4)
    zero = student.shiq_bandit_loss(ref + arms / 0.4, ref, action, arms[action], 0.4)
    expect(zero).close(
        torch.zeros((), dtype=F64), "At l_ref + R / beta the loss is 0.", rtol=1e-12, scale=1.0
    )


@exercise("shiq_bandit_loss")
def test_the_level_of_the_logits_counts(student: Student, draw: Draw):
    """A constant added to all logits; one sample; float32."""
    logits, ref, action, R = bandit(draw, 1)
    for c in (0.0, 30.0):
        expect(student.shiq_bandit_loss(logits + c, ref, action, R, 0.4)).close(
            ((R - 0.4 * (logits + c - ref)[action]) ** 2)[0],
            "ShiQ is not invariant to a constant in the logits. " + BANDIT,
        )
    got = student.shiq_bandit_loss(logits.float(), ref.float(), action, R.float(), 0.4)
    expect(got).close(((R - 0.4 * (logits - ref)[action]) ** 2)[0].float(), BANDIT)


# --- ShiQ: sequences -----------------------------------------------------------------------------

RESIDUAL = (
    "delta_t = sum over k >= t of gamma^(k - t) (r_k - beta ln(pi / pi_ref)(a_k)) "
    "- beta (v_l - v_ref)(s_t), over the real steps."
)


def sequences(draw, lengths=(5, 1, 3, 4), width=5, vocabulary=3):
    """A padded batch with finite nonsense at the padding."""
    rows = len(lengths)
    return {
        "logits": draw.normal(rows, width, vocabulary) * 1.5,
        "ref_logits": draw.normal(rows, width, vocabulary) + 0.7,
        "actions": draw.integers(0, vocabulary, rows, width),
        "rewards": draw.normal(rows, width) + 1,
        "mask": first(lengths, width),
    }


def log_sum(row, scale=1.0):
    top = max(row) / scale
    return top + math.log(sum(math.exp(x / scale - top) for x in row))


def residual_oracle(batch, beta, gamma=1.0, slip="", steps="many"):
    """[B, T] position by position in plain Python; `slip` names a typical mistake."""
    logits, ref = batch["logits"].tolist(), batch["ref_logits"].tolist()
    actions, rewards = batch["actions"].tolist(), batch["rewards"].tolist()
    width = len(actions[0])
    want = torch.zeros(len(actions), width, dtype=F64)
    for b, row in enumerate(batch["mask"].long().tolist()):
        n = sum(row)
        end = width if slip == "padding" else n

        def level(t, b=b):
            if slip == "beta inside":
                return beta * (log_sum(logits[b][t], beta) - log_sum(ref[b][t], beta))
            v_ref = 0.0 if slip == "no v_ref" else log_sum(ref[b][t])
            if slip == "no values":
                return 0.0
            return (1.0 if slip == "no beta on v" else beta) * (log_sum(logits[b][t]) - v_ref)

        def gain(t, b=b):
            a = actions[b][t]
            h = logits[b][t][a] - log_sum(logits[b][t]) - ref[b][t][a] + log_sum(ref[b][t])
            if slip == "raw logits":
                h = logits[b][t][a] - ref[b][t][a]
            if slip == "no ref":
                h = logits[b][t][a] - log_sum(logits[b][t])
            if slip == "penalty added":
                h = -h
            if slip == "no penalty":
                h = 0.0
            return rewards[b][t] - (1.0 if slip == "no beta on h" else beta) * h

        for t in range(n):
            if steps == "one":
                ended = t == n - 1
                if slip == "bootstrap":
                    ended = t == width - 1
                discount = 1.0 if slip == "no gamma" else gamma
                following = 0.0 if ended or slip == "no next" else discount * level(t + 1)
                if slip == "next sign":
                    following = -following
                want[b, t] = gain(t) + following - level(t)
                if slip == "gamma on all":
                    want[b, t] = gamma * (gain(t) + (0.0 if ended else level(t + 1))) - level(t)
            else:
                power = {"no gamma": lambda k, t: 0, "gamma^k": lambda k, t: k}.get(
                    slip, lambda k, t: k - t
                )
                start = t + 1 if slip == "behind t" else t
                stop = t + 1 if slip == "one term" else end
                want[b, t] = sum(gamma ** power(k, t) * gain(k) for k in range(start, stop))
                want[b, t] -= level(t)
            if slip == "turned":
                want[b, t] = -want[b, t]
    return want


RESIDUAL_SLIPS = {
    "no v_ref": "v_ref is missing: without rewards the residual at l_ref must be 0.",
    "no beta on v": "The beta in front of the values is missing.",
    "beta inside": "v_l is the plain logsumexp of the logits: no beta inside.",
    "no values": "The value -beta (v_l - v_ref)(s_t) is missing.",
    "raw logits": "The log-ratio is one of probabilities: normalise the logits there.",
    "no ref": "pi_ref is missing in the log-ratio.",
    "penalty added": "The log-ratio is subtracted from the reward.",
    "no penalty": "The log-ratio is missing.",
    "no beta on h": "The beta in front of the log-ratio is missing.",
    "no gamma": "gamma is missing.",
    "gamma^k": "Discount from t: gamma^(k - t), not gamma^k.",
    "behind t": "The sum starts at k = t.",
    "one term": "This is one step only, without the next value: sum over k >= t.",
    "padding": "The padding leaks into the sum.",
    "turned": "The sign is turned round: return minus value.",
}


def residual_mistakes(batch, beta, gamma, slips=RESIDUAL_SLIPS, steps="many"):
    return {text: residual_oracle(batch, beta, gamma, slip, steps) for slip, text in slips.items()}


def call(student, name, batch, *scalars):
    return getattr(student, name)(*batch.values(), *scalars)


@exercise("shiq_residuals", weight=3)
def test_residuals_of_a_padded_batch(student: Student, draw: Draw):
    """Four sequences, gamma below 1, beta above and below 1, unnormalised references."""
    for beta in (float(draw.uniform(0.3, 0.6)), float(draw.uniform(1.5, 2.5))):
        batch, gamma = sequences(draw), float(draw.uniform(0.5, 0.8))
        expect(call(student, "shiq_residuals", batch, beta, gamma)).close(
            residual_oracle(batch, beta, gamma), RESIDUAL,
            residual_mistakes(batch, beta, gamma), rtol=1e-8,
        )  # fmt: skip


def solved_paths(draw, gamma, beta=0.7):
    """All paths of an MDP as a padded batch, at l_ref + q / beta; l_ref is not normalised."""
    mdp, ref_table = small_mdp(draw, 4, 3), draw.normal(4, 3) * 0.7 + 2
    q = soft_oracle(mdp, ref_table.softmax(1), beta, gamma)
    rows = [path for s in range(4) for path in paths(mdp, s)]
    width = max(map(len, rows))
    states = torch.tensor([[s for s, _ in row] + [0] * (width - len(row)) for row in rows])
    actions = torch.tensor([[a for _, a in row] + [0] * (width - len(row)) for row in rows])
    batch = {
        "logits": (ref_table + q / beta)[states],
        "ref_logits": ref_table[states],
        "actions": actions,
        "rewards": mdp["reward"][states, actions],
        "mask": first([len(row) for row in rows], width),
    }
    return batch, beta


@exercise("shiq_residuals", weight=2)
def test_all_residuals_vanish_at_the_solution(student: Student, draw: Draw):
    """Every path of a small MDP at l_ref + q / beta, for gamma = 1 (the default) and 0.9."""
    for gamma in ((), (0.9,)):
        batch, beta = solved_paths(draw, *(gamma or (1.0,)))
        got = call(student, "shiq_residuals", batch, beta, *gamma)
        expect(got).close(
            torch.zeros(batch["actions"].shape, dtype=F64),
            "At l_ref + q / beta every residual is 0, on every path. " + RESIDUAL,
            mistakes=residual_mistakes(batch, beta, *(gamma or (1.0,))),
            rtol=1e-10, scale=1.0,
        )  # fmt: skip


@exercise("shiq_residuals")
def test_nothing_to_learn_at_the_reference(student: Student, draw: Draw):
    """l = l_ref, no rewards, numbers at the padding: all residuals are 0."""
    batch = sequences(draw)
    batch["logits"] = batch["ref_logits"]
    batch["rewards"] = batch["rewards"] * ~batch["mask"] * 50
    expect(call(student, "shiq_residuals", batch, 0.6, 0.9)).close(
        torch.zeros(4, 5, dtype=F64),
        "Without rewards all residuals are 0 at l_ref: this is what v_ref is for.",
        mistakes={
            RESIDUAL_SLIPS[slip]: residual_oracle(batch, 0.6, 0.9, slip)
            for slip in ("no v_ref", "padding", "no ref", "raw logits")
        },
        rtol=1e-10, scale=1.0,
    )  # fmt: skip


def torch_residuals(batch, beta, gamma, detach="", steps="many"):
    """The residuals of a batch with a graph; `detach` names what is cut off by mistake."""
    logits, mask = batch["logits"], batch["mask"].double()
    index = batch["actions"].unsqueeze(-1)

    def cut(name, x):
        return x.detach() if detach == name else x

    h = cut("h", (logits.log_softmax(-1).gather(-1, index)
                  - batch["ref_logits"].log_softmax(-1).gather(-1, index)).squeeze(-1))  # fmt: skip
    w = beta * (logits.logsumexp(-1) - batch["ref_logits"].logsumexp(-1)) * mask
    gain = (batch["rewards"] - beta * h) * mask
    width = mask.shape[1]
    if steps == "one":
        after = torch.cat([w[:, 1:], torch.zeros_like(w[:, :1])], 1)
        return (gain + gamma * cut("next", after) - cut("v", w)) * mask
    power = torch.arange(width)[None, :] - torch.arange(width)[:, None]
    matrix = torch.where(power >= 0, gamma ** power.clamp(min=0).double(), 0.0)
    return (gain @ matrix.T - cut("v", w)) * mask


def gradients_of(make, batch, cotangent=None):
    """Gradient in the logits of make(batch), weighted by the cotangent."""
    leaf = batch["logits"].clone().requires_grad_()
    value = make(batch | {"logits": leaf})
    scalar = value if cotangent is None else (value * cotangent).sum()
    return torch.autograd.grad(scalar, leaf)[0]


CUTS = {
    "v": "The value of s_t is detached: nothing is.",
    "h": "The log-ratio is detached: nothing is.",
    "next": "The value of the next state is detached (a target network): nothing is.",
}


@exercise("shiq_residuals", weight=2)
def test_nothing_is_detached_in_the_residuals(student: Student, draw: Draw):
    """The gradient of a weighted sum of the residuals in the logits."""
    batch, weights = sequences(draw), draw.normal(4, 5)
    got = student.grad("shiq_residuals", *batch.values(), 0.5, 0.8, wrt=(0,), cotangent=weights)
    expect(got.grads[0]).close(
        gradients_of(lambda x: torch_residuals(x, 0.5, 0.8), batch, weights),
        "Both the log-ratios and the values learn. " + RESIDUAL,
        mistakes={
            CUTS[name]: gradients_of(lambda x, name=name: torch_residuals(x, 0.5, 0.8, name),
                                     batch, weights)
            for name in ("v", "h")
        },
    )  # fmt: skip


@exercise("shiq_residuals")
def test_residuals_in_other_shapes_and_types(student: Student, draw: Draw):
    """One step, two actions; integer and floating masks; float32."""
    small = sequences(draw, (1,), 1, 2)
    expect(call(student, "shiq_residuals", small, 0.5)).close(
        residual_oracle(small, 0.5), RESIDUAL, rtol=1e-8
    )
    batch = sequences(draw, (2, 4), 4, 6)
    want = residual_oracle(batch, 0.5, 0.7)
    for kind in (torch.int64, torch.float32):
        got = call(student, "shiq_residuals", batch | {"mask": batch["mask"].to(kind)}, 0.5, 0.7)
        expect(got).close(want, "The mask may be integer or floating. " + RESIDUAL, rtol=1e-8)
    single = {name: x.float() if x.is_floating_point() else x for name, x in batch.items()}
    expect(call(student, "shiq_residuals", single, 0.5, 0.7)).close(
        want.float(), "The result has the dtype of the logits.", rtol=1e-4
    )


@exercise("shiq_residuals")
def test_residuals_of_large_logits(student: Student, draw: Draw):
    """Logits around 2000 and -2000, log-ratios of hundreds; one row without any step."""
    batch = sequences(draw, (3, 0, 2), 3)
    batch["logits"] = 200 * batch["logits"] + 2000
    batch["ref_logits"] = 200 * batch["ref_logits"] - 2000
    expect(call(student, "shiq_residuals", batch, 0.5, 0.9)).close(
        residual_oracle(batch, 0.5, 0.9),
        "Logits of any size: logsumexp and log_softmax do not overflow, and nothing is capped.",
        rtol=1e-8,
    )


# --- shiq_loss -----------------------------------------------------------------------------------

LOSS = "The sum of delta_t^2 over the real steps of a sequence, averaged over the sequences."


def losses_of(delta, mask):
    """The right reduction and typical wrong ones."""
    square, count = delta**2, mask.double().sum()
    per_row = square.sum(1)
    return per_row.mean(), {
        "The square is inside the sum over t, not outside (the slide's bracket).": (
            (delta.sum(1) ** 2).mean()
        ),
        "Sum over t: this is the mean over all positions.": square.mean(),
        "Sum over t: this is the mean over the real steps.": square.sum() / count,
        "Sum over t: this is the mean within each sequence.": (
            per_row / mask.double().sum(1)
        ).mean(),
        "Average over the sequences.": square.sum(),
        "The square is missing.": delta.sum(1).mean(),
        "Square, do not take the absolute value.": delta.abs().sum(1).mean(),
        "There is no factor 1/2.": per_row.mean() / 2,
        "Only the first residual counts here: sum over t.": (delta[:, 0] ** 2).mean(),
        "Do not take the root.": per_row.sqrt().mean(),
    }


@exercise("shiq_loss", weight=2)
def test_the_loss_of_a_padded_batch(student: Student, draw: Draw):
    """Four sequences of different lengths, gamma below 1 and by default."""
    batch = sequences(draw)
    for gamma in ((float(draw.uniform(0.5, 0.8)),), ()):
        discount = gamma or (1.0,)
        want, mistakes = losses_of(residual_oracle(batch, 0.6, *discount), batch["mask"])
        one_step = residual_oracle(batch, 0.6, *discount, steps="one")
        mistakes["These are the one-step residuals."] = losses_of(one_step, batch["mask"])[0]
        if gamma:
            other = residual_oracle(batch, 0.6, 1.0)
            mistakes["gamma is not passed on."] = losses_of(other, batch["mask"])[0]
        other = residual_oracle(batch, 1.0, *discount)
        mistakes["beta is not passed on."] = losses_of(other, batch["mask"])[0]
        expect(call(student, "shiq_loss", batch, 0.6, *gamma)).close(
            want, LOSS + " gamma is 1 by default.", mistakes, rtol=1e-8
        )


@exercise("shiq_loss", weight=2)
def test_nothing_is_detached_in_the_loss(student: Student, draw: Draw):
    """The gradient of the loss in the logits."""
    batch = sequences(draw)

    def loss(detach=""):
        return lambda x: (torch_residuals(x, 0.6, 0.8, detach) ** 2).sum(1).mean()

    got = student.grad("shiq_loss", *batch.values(), 0.6, 0.8, wrt=(0,))
    expect(got.grads[0]).close(
        gradients_of(loss(), batch), "The gradient flows through all of delta. " + LOSS,
        mistakes={CUTS[name]: gradients_of(loss(name), batch) for name in ("v", "h")},
    )  # fmt: skip


@exercise("shiq_loss")
def test_the_loss_of_one_sequence_and_of_a_solved_problem(student: Student, draw: Draw):
    """A batch of one row with padding; a row without any step; 0 at l_ref + q / beta."""
    one = sequences(draw, (2,), 4, 5)
    one["mask"] = one["mask"].long()
    want, mistakes = losses_of(residual_oracle(one, 1.5, 0.9), one["mask"])
    expect(call(student, "shiq_loss", one, 1.5, 0.9)).close(want, LOSS, mistakes, rtol=1e-8)
    ragged = sequences(draw, (2, 0, 3), 3)
    expect(call(student, "shiq_loss", ragged, 0.7)).close(
        (residual_oracle(ragged, 0.7) ** 2).sum() / 3,
        "A sequence without any step adds 0 and is one of the sequences. " + LOSS,
        rtol=1e-8,
    )
    batch, beta = solved_paths(draw, 1.0)
    expect(call(student, "shiq_loss", batch, beta)).close(
        torch.zeros((), dtype=F64), "At l_ref + q / beta the loss is 0.", rtol=1e-15, scale=1.0
    )


# --- shiq_one_step_residuals ---------------------------------------------------------------------

ONE_STEP = (
    "r_t - beta ln(pi / pi_ref)(a_t) + gamma w(s_{t+1}) - w(s_t), w = beta (v_l - v_ref), without "
    "the third term at the last real step."
)
ONE_SLIPS = {
    "bootstrap": "There is no next state behind the last real step, even if padding follows.",
    "no next": "The value of the next state is missing.",
    "next sign": "The value of the next state is added.",
    "gamma on all": "gamma multiplies the next value only.",
} | {
    slip: RESIDUAL_SLIPS[slip]
    for slip in (
        "no gamma", "no v_ref", "no beta on v", "beta inside", "no values", "raw logits", "no ref",
        "penalty added", "no beta on h", "turned",
    )
}  # fmt: skip


@exercise("shiq_one_step_residuals", weight=2)
def test_one_step_residuals_of_a_padded_batch(student: Student, draw: Draw):
    """Four sequences, gamma below 1 and by default, numbers at the padding."""
    batch, beta = sequences(draw), float(draw.uniform(0.3, 0.6))
    for gamma in ((float(draw.uniform(0.5, 0.8)),), ()):
        discount = gamma or (1.0,)
        mistakes = residual_mistakes(batch, beta, *discount, ONE_SLIPS, "one")
        many = residual_oracle(batch, beta, *discount)
        mistakes["These are the multi-step residuals."] = many
        expect(call(student, "shiq_one_step_residuals", batch, beta, *gamma)).close(
            residual_oracle(batch, beta, *discount, steps="one"), ONE_STEP, mistakes, rtol=1e-8
        )


@exercise("shiq_one_step_residuals")
def test_they_vanish_at_the_solution_and_telescope(student: Student, draw: Draw):
    """Every path of a small MDP at l_ref + q / beta, gamma 0.9; sums give the multi-step ones."""
    batch, beta = solved_paths(draw, 0.9)
    expect(call(student, "shiq_one_step_residuals", batch, beta, 0.9)).close(
        torch.zeros(batch["actions"].shape, dtype=F64),
        "At l_ref + q / beta every one-step residual is 0. " + ONE_STEP,
        mistakes=residual_mistakes(batch, beta, 0.9, ONE_SLIPS, "one"), rtol=1e-10, scale=1.0,
    )  # fmt: skip
    lengths = (4, 2, 3)
    other = sequences(draw, lengths, 4, 5)
    other["mask"] = other["mask"].long()
    got = call(student, "shiq_one_step_residuals", other, 1.7, 0.6)
    got = expect(got).tensor((3, 4), F64, "One residual per position, in the dtype of the logits.")
    expect(returns_of(got, lengths, 0.6)).close(
        residual_oracle(other, 1.7, 0.6),
        "Their discounted sums must be the multi-step residuals. " + ONE_STEP, rtol=1e-8,
    )  # fmt: skip


@exercise("shiq_one_step_residuals", weight=2)
def test_nothing_is_detached_in_the_one_step_residuals(student: Student, draw: Draw):
    """The gradient of a weighted sum of the residuals in the logits."""
    batch, weights = sequences(draw), draw.normal(4, 5)

    def make(detach=""):
        return lambda x: torch_residuals(x, 0.5, 0.8, detach, "one")

    got = student.grad(
        "shiq_one_step_residuals", *batch.values(), 0.5, 0.8, wrt=(0,), cotangent=weights
    )
    expect(got.grads[0]).close(
        gradients_of(make(), batch, weights), "Nothing is detached. " + ONE_STEP,
        mistakes={
            CUTS[name]: gradients_of(make(name), batch, weights) for name in ("next", "v", "h")
        },
    )  # fmt: skip


@exercise("shiq_one_step_residuals")
def test_one_step_residuals_of_single_steps(student: Student, draw: Draw):
    """Episodes of one step, with and without padding; float32."""
    batch = sequences(draw, (1, 1), 1, 2)
    want = residual_oracle(batch, 0.5, 0.7)
    expect(call(student, "shiq_one_step_residuals", batch, 0.5, 0.7)).close(
        want, "An episode of one step is the bandit: no next value. " + ONE_STEP, rtol=1e-8
    )
    padded = sequences(draw, (1, 2), 3, 2)
    single = {name: x.float() if x.is_floating_point() else x for name, x in padded.items()}
    expect(call(student, "shiq_one_step_residuals", single, 0.5, 0.7)).close(
        residual_oracle(padded, 0.5, 0.7, steps="one").float(),
        "The result has the dtype of the logits. " + ONE_STEP, rtol=1e-4,
    )  # fmt: skip


# --- the two baselines ---------------------------------------------------------------------------


def pair_batch(draw, first_width, second_width):
    """Token log-probabilities of three pairs; masks with holes and numbers behind them."""
    masks = []
    for width in (first_width, second_width):
        mask = torch.ones(3, width, dtype=torch.int64)
        mask[0, 1:2], mask[1, -1:], mask[2, :1] = 0, 0, 0
        masks.append(mask)
    logps = [draw.normal(3, width) - 2 for width in (first_width, second_width)]
    refs = [draw.normal(3, width) - 1.5 for width in (first_width, second_width)]
    return logps, refs, masks


def summed(logp, ref, mask):
    """h of each trajectory, token by token."""
    return tensor(*(
        sum(float(a - b) for a, b, keep in zip(*rows, strict=True) if keep)
        for rows in zip(logp, ref, mask, strict=True)
    ))  # fmt: skip


def gaps(logps, refs, masks):
    """The right difference of log-ratios and typical wrong ones."""
    h, h2 = (summed(*parts) for parts in zip(logps, refs, masks, strict=True))
    ones = [torch.ones_like(mask) for mask in masks]
    bare, bare2 = (summed(*parts) for parts in zip(logps, refs, ones, strict=True))
    width = min(mask.shape[1] for mask in masks)
    cut = [
        summed(logp[:, :width], ref[:, :width], mask[:, :width])
        for logp, ref, mask in zip(logps, refs, masks, strict=True)
    ]
    pure = [summed(logp, 0 * logp, mask) for logp, mask in zip(logps, masks, strict=True)]
    return h - h2, {
        "Sum over the steps: this is their mean.": (h / masks[0].sum(1) - h2 / masks[1].sum(1)),
        "The masks are ignored.": bare - bare2,
        "The trajectories are cut to the shorter width.": cut[0] - cut[1],
        "The reference is missing.": pure[0] - pure[1],
        "The two log-ratios are added: subtract the second.": h + h2,
    }


def one_hot_grads(scale, masks):
    """Gradients of a loss whose derivative in Delta h is `scale`."""
    return scale[:, None] * masks[0].double(), -scale[:, None] * masks[1].double()


MT_COPG = "The mean of (beta (h - h2) - (R - R2))^2, h the masked sum of ln pi - ln pi_ref."


@exercise("multi_turn_copg_loss", weight=2)
def test_copg_on_trajectories_of_unequal_lengths(student: Student, draw: Draw):
    """Three pairs, the longer trajectory first and second; masks with holes."""
    for widths in ((5, 3), (2, 4)):
        logps, refs, masks = pair_batch(draw, *widths)
        R, R2, beta = draw.normal(3) + 1, draw.normal(3) - 1, float(draw.uniform(0.3, 0.7))
        gap, wrong = gaps(logps, refs, masks)
        delta = R - R2
        mistakes = {text: ((beta * g - delta) ** 2).mean() for text, g in wrong.items()}
        mistakes |= {
            "The rewards are subtracted the wrong way round.": ((beta * gap + delta) ** 2).mean(),
            "Average over the pairs.": ((beta * gap - delta) ** 2).sum(),
            "beta is missing.": ((gap - delta) ** 2).mean(),
            "beta multiplies the log-ratios, not the rewards.": ((gap - beta * delta) ** 2).mean(),
            "The squared form has beta, not beta / 2.": ((beta / 2 * gap - delta) ** 2).mean(),
            "This is the objective of assignment 11: the squared form is asked.": (
                (delta - beta / 2 * gap) * gap
            ).mean(),
            "This is minus the objective of assignment 11: the squared form is asked.": (
                -(delta - beta / 2 * gap) * gap
            ).mean(),
            "There is no factor 1/2.": ((beta * gap - delta) ** 2).mean() / 2,
            "The mean is squared: square first.": (beta * gap - delta).mean() ** 2,
        }
        got = student.multi_turn_copg_loss(*logps, *refs, *masks, R, R2, beta)
        expect(got).close(((beta * gap - delta) ** 2).mean(), MT_COPG, mistakes)
        objective = (delta - beta / 2 * gap) * gap
        expect(got).close(
            (-2 * beta * objective + delta**2).mean(),
            "It must equal -2 beta l + (R - R2)^2 with the CoPG objective l.", rtol=1e-8,
        )  # fmt: skip


@exercise("multi_turn_copg_loss")
def test_the_gradient_of_multi_turn_copg(student: Student, draw: Draw):
    """The gradient in both trajectories; masks of booleans and of floating numbers."""
    logps, refs, masks = pair_batch(draw, 4, 3)
    R, R2 = draw.normal(3), draw.normal(3)
    gap = gaps(logps, refs, masks)[0]
    scale = 2 * 0.5 * (0.5 * gap - (R - R2)) / 3
    for kind in (torch.bool, torch.float64):
        cast = [mask.to(kind) for mask in masks]
        got = student.grad("multi_turn_copg_loss", *logps, *refs, *cast, R, R2, 0.5, wrt=(0, 1))
        expect((got.grads[0], got.grads[1])).close(
            one_hot_grads(scale, masks), "Nothing is detached. " + MT_COPG
        )


@exercise("multi_turn_copg_loss")
def test_copg_on_one_short_pair(student: Student, draw: Draw):
    """One pair, one token against two, near and far; float32."""
    logp, logp2, ref, ref2 = (draw.normal(1, n, dtype=torch.float32) for n in (1, 2, 1, 2))
    R, R2 = draw.normal(1, dtype=torch.float32), draw.normal(1, dtype=torch.float32)
    gap = (logp - ref).sum() - (logp2 - ref2).sum()
    masks = torch.ones(1, 1), torch.ones(1, 2)
    got = student.multi_turn_copg_loss(logp, logp2, ref, ref2, *masks, R, R2, 2.0)
    expect(got).close((2.0 * gap - (R - R2)[0]) ** 2, MT_COPG, rtol=1e-4)
    far = student.multi_turn_copg_loss(logp - 2000, logp2, ref, ref2, *masks, R, R2, 2.0)
    expect(far).close(
        (2.0 * (gap - 2000) - (R - R2)[0]) ** 2, "No log-ratio is capped. " + MT_COPG, rtol=1e-4
    )


MT_DPO = "The mean of -ln sigmoid(beta (h_chosen - h_rejected)), h the masked sum of log-ratios."


def softplus(x):
    return torch.nn.functional.softplus(x)


@exercise("multi_turn_dpo_loss", weight=2)
def test_dpo_on_trajectories_of_unequal_lengths(student: Student, draw: Draw):
    """Three pairs, the longer trajectory first and second; masks with holes."""
    for widths in ((5, 3), (2, 4)):
        logps, refs, masks = pair_batch(draw, *widths)
        beta = float(draw.uniform(0.3, 0.7))
        gap, wrong = gaps(logps, refs, masks)
        mistakes = {text: softplus(-beta * g).mean() for text, g in wrong.items()}
        mistakes |= {
            "Winner and loser are swapped.": softplus(beta * gap).mean(),
            "Average over the pairs.": softplus(-beta * gap).sum(),
            "beta is missing.": softplus(-gap).mean(),
            "Multiply by beta, do not divide.": softplus(-gap / beta).mean(),
            "The minus sign is missing: a loss is minimised.": -softplus(-beta * gap).mean(),
            "The logarithm is missing.": -torch.sigmoid(beta * gap).mean(),
            "Average last: this is the loss of the mean gap.": softplus(-beta * gap.mean()),
            "This is IPO.": ((gap - 1 / (2 * beta)) ** 2).mean(),
        }
        got = student.multi_turn_dpo_loss(*logps, *refs, *masks, beta)
        expect(got).close(softplus(-beta * gap).mean(), MT_DPO, mistakes)


@exercise("multi_turn_dpo_loss")
def test_the_gradient_of_multi_turn_dpo(student: Student, draw: Draw):
    """The gradient in both trajectories; masks of booleans and of floating numbers."""
    logps, refs, masks = pair_batch(draw, 4, 3)
    gap = gaps(logps, refs, masks)[0]
    scale = -0.5 * torch.sigmoid(-0.5 * gap) / 3
    for kind in (torch.bool, torch.float64):
        cast = [mask.to(kind) for mask in masks]
        got = student.grad("multi_turn_dpo_loss", *logps, *refs, *cast, 0.5, wrt=(0, 1))
        expect((got.grads[0], got.grads[1])).close(
            one_hot_grads(scale, masks), "Nothing is detached. " + MT_DPO
        )


@exercise("multi_turn_dpo_loss")
def test_dpo_far_on_either_side(student: Student, draw: Draw):
    """beta Delta h of plus and minus thousands; float32."""
    far = float(draw.uniform(3000, 4000))
    zero, one = torch.zeros(1, 1, dtype=F64), torch.ones(1, 1)
    low = zero - far
    got = student.grad("multi_turn_dpo_loss", low, zero, zero, zero, one, one, 0.5, wrt=(0,))
    stable = "For beta Delta h -> -infinity the loss is -beta Delta h: use a stable ln sigmoid."
    expect((got.value, got.grads[0])).close((tensor(far / 2)[0], zero - 0.5), stable)
    got = student.multi_turn_dpo_loss(zero, low, zero, zero, one, one, 0.5)
    expect(got).close(zero[0, 0], "For a sure winner the loss is 0. " + MT_DPO, scale=1.0)
    small = draw.normal(1, 2, dtype=torch.float32)
    got = student.multi_turn_dpo_loss(
        small, small[:, :1], 0 * small, 0 * small[:, :1], torch.ones(1, 2), one, 1.0
    )
    expect(got).close(softplus(-small[0, 1]), MT_DPO, rtol=1e-4)


# --- train_grid ----------------------------------------------------------------------------------


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def grid_values(kind, log_pi, beta):
    """J of a table [12 P, 4] of log-probabilities, time by time."""
    world = {name: x.numpy() for name, x in grid.places(kind).items()}
    number = len(world["done"])
    v = np.zeros(number)
    for t in reversed(range(12)):
        now = log_pi[number * t : number * (t + 1)]
        q = world["reward"] + np.where(world["done"], 0.0, v[world["next_place"]])
        v = (np.exp(now) * (q - beta * (now + math.log(4)))).sum(1)
    return v[0]


@cache
def train_oracle(method, kind, seed, steps, lr=0.1, batch_size=64, beta=1.0, eval_every=50,
                 slip=""):  # fmt: skip
    """(regrets, logits) in numpy with gradients by hand; `slip` names a typical mistake."""
    data = {name: x.numpy() for name, x in grid.walks(kind, seed).items()}
    number = 12 * len(grid.places(kind)["done"])
    theta = np.zeros((number, 4))
    mean, square = np.zeros_like(theta), np.zeros_like(theta)
    best = best_value(kind, beta)
    regrets = []
    for step in range(steps + 1):
        if step % eval_every == 0:
            regrets.append(best - grid_values(kind, log_softmax(theta), beta))
        if step == steps:
            break
        pairs = (step * batch_size + np.arange(batch_size)) % 500
        if slip == "first minibatch":
            pairs = np.arange(batch_size) % 500
        if slip == "short last minibatch":
            start = step % -(-500 // batch_size) * batch_size
            pairs = np.arange(start, min(start + batch_size, 500))
        partner = pairs + 500
        rows = np.concatenate([pairs, partner])
        if slip == "neighbours":
            rows = np.concatenate([2 * pairs, 2 * pairs + 1])
        if slip == "first walks only":
            rows = pairs
        gradient = grid_gradient(method, data, rows, pairs, theta, beta, slip)
        if slip == "gradient descent":
            theta = theta - lr * gradient
            continue
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        fresh = square / (1 - 0.999 ** (step + 1))
        theta = theta - lr * mean / (1 - 0.9 ** (step + 1)) / (np.sqrt(fresh) + 1e-8)
    return torch.tensor(regrets, dtype=F64), torch.from_numpy(theta)


def grid_gradient(method, data, rows, pairs, theta, beta, slip):
    """The gradient of the loss in the table, by hand."""
    states, actions = data["states"][rows], data["actions"][rows]
    mask, rewards = data["mask"][rows].astype(float), data["rewards"][rows]
    logits = theta[states]
    log_pi = log_softmax(logits)
    pi, chosen = np.exp(log_pi), np.eye(4)[actions]
    h = ((log_pi * chosen).sum(-1) + math.log(4)) * mask
    level = beta * (np.log(np.exp(logits).sum(-1)) - math.log(4)) * mask
    score = chosen - pi
    count = len(rows)
    if method == "shiq":
        later = np.flip(np.cumsum(np.flip(rewards - beta * h, 1), 1), 1)
        delta = (later - level) * mask
        if slip == "squared sum":
            delta = np.repeat(delta.sum(1, keepdims=True), 12, 1) * mask
        before = np.cumsum(delta, 1)
        flow = -beta * before[..., None] * score - beta * delta[..., None] * pi
        flow = 2 / count * flow * mask[..., None]
    elif method == "shiq_one_step":
        after = np.concatenate([level[:, 1:], np.zeros((count, 1))], 1)
        delta = (rewards - beta * h + after - level) * mask
        before = np.concatenate([np.zeros((count, 1)), delta[:, :-1]], 1)
        before = before * (0.0 if slip == "target" else 1.0)
        flow = -beta * delta[..., None] * chosen + beta * before[..., None] * pi
        flow = 2 / count * flow * mask[..., None]
    else:
        half = len(pairs)
        gap = h[:half].sum(1) - h[half:].sum(1)
        total = rewards.sum(1)
        if method == "copg":
            inside = {"reward sign": -1.0}.get(slip, 1.0) * (total[:half] - total[half:])
            push = 2 * beta * (beta * gap - inside) / half
        else:
            wins = data["first_wins"][pairs]
            if slip == "first always":
                wins = np.ones(half, bool)
            if slip == "by return":
                wins = total[:half] > total[half:]
            sign = np.where(wins, 1.0, -1.0) * (-1.0 if slip == "loser" else 1.0)
            push = -beta * sign / (1 + np.exp(beta * sign * gap)) / half
        push = np.concatenate([push, -push])[:, None, None]
        flow = push * score * mask[..., None]
    gradient = np.zeros_like(theta)
    np.add.at(gradient, states.ravel(), flow.reshape(-1, 4))
    return gradient


TRAIN_SLIPS = {
    "first minibatch": "Every step used the first minibatch: go through the data.",
    "short last minibatch": "The last minibatch was cut short: indices continue modulo 500.",
    "neighbours": "Walk i is paired with walk i + 500.",
    "gradient descent": "This is plain gradient descent: use Adam.",
    "first walks only": "The ShiQ losses take both walks of each pair.",
    "squared sum": "The square is inside the sum over t.",
    "target": "The value of the next state is detached: nothing is.",
    "reward sign": "The rewards are subtracted the wrong way round.",
    "first always": "first_wins says who won: it is not always the first.",
    "by return": "The winner was decided by the returns: the labels are data.",
    "loser": "Winner and loser are swapped.",
}
TRAIN = "The regrets or the logits are not those of this method on these walks: see the docstring."


def check_training(student, method, kind, seed, slips, **options):
    """Compare a short run with the oracle's."""
    count = options["steps"] // options["eval_every"] + 1
    got = student.train_grid(method, kind, seed, **options)
    expect(got).true(
        isinstance(got, tuple | list) and len(got) == 2, "Return two things: (regrets, logits)."
    )
    regrets, logits = got
    number = 12 * len(grid.places(kind)["done"])
    expect(regrets).tensor(
        (count,), F64, "regrets: [steps // eval_every + 1], float64, from step 0 on."
    )
    expect(logits).tensor((number, 4), F64, "logits: the whole table, [12 P, 4], float64.")
    other = {name: value for name, value in options.items() if name != "beta"}
    mistakes = {
        TRAIN_SLIPS[slip]: train_oracle(method, kind, seed, slip=slip, **options)[0]
        for slip in (*slips, "first minibatch", "short last minibatch", "gradient descent")
    } | {
        "lr is not used.": train_oracle(method, kind, seed, **options | {"lr": 0.1})[0],
        "beta is not used.": train_oracle(method, kind, seed, **other)[0],
    }
    want, table = train_oracle(method, kind, seed, **options)
    expect(regrets[:1]).close(
        want[:1], "The first regret is that of the reference: the table starts at zeros.",
        mistakes={"The table starts at the optimum.": 0 * want[:1]}, rtol=1e-7, scale=1.0,
    )  # fmt: skip
    expect(regrets).close(want, TRAIN, mistakes, rtol=2e-6)
    expect(logits).close(table, "logits is the table after the last step. " + TRAIN, rtol=2e-5)


@exercise("train_grid", weight=2)
def test_shiq_step_by_step(student: Student, draw: Draw):
    """Nine steps on the fine grid, minibatches that go round the walks."""
    check_training(
        student, "shiq", "fine", draw.integer(10, 9999), ("squared sum", "first walks only"),
        steps=9, lr=0.3, batch_size=130, beta=0.6, eval_every=2,
    )  # fmt: skip


@exercise("train_grid")
def test_one_step_shiq_step_by_step(student: Student, draw: Draw):
    """Two steps in both settings (later, Adam amplifies rounding errors of exact zeros)."""
    for kind, batch_size in (("final", 300), ("fine", 130)):
        check_training(
            student, "shiq_one_step", kind, draw.integer(10, 9999), ("target", "first walks only"),
            steps=2, lr=0.3, batch_size=batch_size, beta=0.6, eval_every=1,
        )  # fmt: skip


@exercise("train_grid", weight=2)
def test_copg_step_by_step(student: Student, draw: Draw):
    """Nine steps on the final-reward grid."""
    check_training(
        student, "copg", "final", draw.integer(10, 9999), ("reward sign", "neighbours"),
        steps=9, lr=0.3, batch_size=130, beta=0.6, eval_every=2,
    )  # fmt: skip


@exercise("train_grid", weight=2)
def test_dpo_step_by_step(student: Student, draw: Draw):
    """Eight steps on the fine grid, minibatches larger than the data."""
    check_training(
        student, "dpo", "fine", draw.integer(10, 9999),
        ("first always", "by return", "loser", "neighbours"),
        steps=8, lr=0.3, batch_size=510, beta=0.6, eval_every=3,
    )  # fmt: skip


@exercise("train_grid")
def test_the_defaults(student: Student, draw: Draw):
    """Three steps with all other defaults: lr 0.1, 64 pairs, beta 1, a regret every 50 steps."""
    seed = draw.integer(10, 9999)
    got = student.train_grid("copg", "fine", seed, steps=3)
    expect(got).close(
        train_oracle("copg", "fine", seed, 3),
        "By default lr is 0.1, batch_size 64, beta 1 and eval_every 50.", rtol=2e-5,
    )  # fmt: skip


@exercise("train_grid", weight=2)
def test_shiq_with_the_defaults_nearly_reaches_the_optimum(student: Student, draw: Draw):
    """1000 steps on the final-reward grid: the regret ends below 0.08."""
    got = student.train_grid("shiq", "final", draw.choice((2, 3, 5, 8, 13, 21)))
    shaped = isinstance(got, tuple | list) and len(got) == 2
    expect(got).true(shaped, "Return two things: (regrets, logits).")
    curve = expect(got[0]).tensor(
        (21,), F64, "By default there are 1000 steps and a regret every 50: 21 of them, float64."
    )
    expect(curve).true(
        2.6 < float(curve[0]) < 2.61 and -1e-9 < float(curve[-1]) < 0.08,
        "ShiQ must start at the reference's regret, 2.60, and end below 0.08 on the final reward.",
    )


@exercise("train_grid")
def test_the_other_methods_end_where_they_must(student: Student, draw: Draw):
    """40 steps of DPO and CoPG, 120 of one-step ShiQ, on the final-reward grid."""
    seed = draw.choice((2, 3, 5, 8, 13, 21))
    ends = {}
    for method, steps in (("dpo", 40), ("copg", 40), ("shiq_one_step", 120)):
        got = student.train_grid(method, "final", seed, steps=steps, eval_every=steps)
        shaped = isinstance(got, tuple | list) and len(got) == 2
        expect(got).true(shaped, "Return two things: (regrets, logits).")
        curve = expect(got[0]).tensor((2,), F64, "regrets: [steps // eval_every + 1], float64.")
        ends[method] = float(curve[-1])
    expect(ends).true(
        ends["dpo"] > 2.7 > 2.6 > ends["copg"] > 1.0,
        "With 500 labels DPO must end worse than the reference, CoPG somewhat better.",
    )
    expect(ends).true(
        ends["shiq_one_step"] < 0.4, "One-step ShiQ must be close to the optimum by now."
    )


@exercise("train_grid")
def test_unknown_methods_and_kinds_are_refused(student: Student, draw: Draw):
    """A method that is none of the four, a kind that is none of the two."""
    for method, kind in (("ppo", "final"), ("ShiQ", "fine"), ("", "final"), ("dpo", "middle")):
        raised = student.raised("train_grid", method, kind, 1, steps=1)
        expect(raised).equals("ValueError", "Raise ValueError for an unknown method or kind.")
