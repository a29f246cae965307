"""What several sections compare with: small MDPs solved path by path, and the grid."""

import math
from functools import cache

import torch

F64 = torch.float64

INF = math.inf


def tensor(*values):
    return torch.tensor(values, dtype=F64)


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
