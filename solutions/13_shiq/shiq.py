# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 13 · Multi-turn, soft Bellman and ShiQ
#
# Lecture appendix · about 240 minutes, 225 of them for the exercises · 33 points by machine, 4 by hand
#
# **You will be able to**
#
# - write a sentence, and a conversation, as an episode of a Markov decision process;
# - say which *token* earned the reward, with TD errors instead of returns;
# - solve a KL-regularised problem exactly, backwards, and recognise
#   $\pi_\text{ref}\,e^{R/\beta}/Z$ in the result;
# - derive ShiQ from the soft Bellman equation by two changes of variable, and repair the bracket
#   that the slide puts in the wrong place;
# - race ShiQ against multi-turn CoPG and DPO on the lecture's grid, and say what the race shows
#   and what it does not.
#
# **You need** 09 (DPO), 10 (regularised reward) and 11 (CoPG).
#
# **Map** 12 · Trust regions, PPO and GRPO → **13 · Multi-turn, soft Bellman and ShiQ** → Final project
#
# **Conventions of this notebook.** Everything is float64 unless an input says otherwise, nothing
# draws random numbers inside a graded function. `ref_logps` are $\ln\pi_\text{ref}$; `logits` are
# raw, *not* normalised: in this notebook that makes a difference. The discount $\gamma$ is 1 unless
# an argument says otherwise. A `mask` is 1 (or `True`) on the real steps, which come first in
# their row, and 0 on the padding behind them; it may be boolean, integer or floating.

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "setup"}
from collections.abc import Callable

import matplotlib
import matplotlib.pyplot as plt
import torch

from sft2rl import grid, style, widgets_shiq
from sft2rl.checks import shiq as check
from sft2rl.widgets import predict

style.use()
print("torch", torch.__version__, "· matplotlib", matplotlib.__version__)

# %% [markdown]
# ## 1. A sentence is an episode
#
# Until now a completion was *one* action. It is a sequence of actions, and treating it as one
# throws away the question which of them was good. The token-level **Markov decision process**:
#
# | | |
# | --- | --- |
# | state | $s_t = (x, y_{<t})$: the prompt and what was written so far |
# | action | $a_t = y_t$, the next token |
# | transition | $s_{t+1} = (x, y_{<t}\oplus a_t)$, deterministic: a token is appended |
# | reward | $r(s_t,a_t) = R(x,y)$ if $a_t$ is EOS **or** $t = T_{\max}$, otherwise 0 |
#
# The "or" matters: a completion that is cut off is finished as well, and is paid like any other.
# Paying at EOS only makes every long completion worth nothing, and the policy learns to be brief.
#
# Our example has four tokens and real words. The prompt is *the film was*; the policy writes up to
# three tokens out of `.` (which ends the sentence), `not`, `good`, `bad`. A crude reader rates the
# result: `good` counts $+1$, `bad` $-1$, and each `not` before them turns the sign round.

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "film"}
WORDS = (".", "not", "good", "bad")
PROMPT, STOP, LONGEST = (7, 8, 9), 0, 3  # the ids of "the film was"; "." ends


def sentiment(prompt: tuple[int, ...], completion: tuple[int, ...]) -> float:
    """The crude reader: good +1, bad -1, the sign turned by each `not` before it."""
    sign, total = 1, 0
    for token in completion:
        sign = -sign if WORDS[token] == "not" else sign
        total += sign * {"good": 1, "bad": -1}.get(WORDS[token], 0)
    return float(total)


# %% tags=["show"]
print("completion        reward at each token           why it ended")
for text in ("good .", "not bad .", "not not good", "."):
    tokens = tuple(WORDS.index(word) for word in text.split())
    rewards = [0.0] * (len(tokens) - 1) + [sentiment(PROMPT, tokens)]
    end = "EOS" if tokens[-1] == STOP else "cut off at T_max = 3"
    print(f"{text:16s}  {str(rewards):28s}   {end}")

# %% [markdown]
# ### Exercise: `token_mdp_step` (2 points, 10 minutes, ★)
#
# One step of this MDP. The prompt may contain the EOS token (in a conversation it does, once per
# turn), so only the action and the completion decide whether the episode is over. A finished
# episode has no next step: refuse it with a `ValueError`, and nobody is paid twice.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "token_mdp_step"}
def token_mdp_step(
    state: tuple[tuple[int, ...], tuple[int, ...]],
    action: int,
    reward_fn: Callable[[tuple[int, ...], tuple[int, ...]], float],
    eos: int,
    t_max: int,
) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], float, bool]:
    """One step of the token MDP: append a token, and pay the reward at the end.

    Args:
        state: (prompt, completion), two tuples of token ids: x and y_<t.
        action: id of the next token, y_t.
        reward_fn: R as a function of (prompt, completion), the completion with its EOS
            if it has one; returns a float. It is called once, when the episode ends,
            and never on an unfinished completion.
        eos: id of the token that ends a completion. The prompt may contain it.
        t_max: most tokens in a completion, EOS included; at least 1.

    Returns:
        (next_state, reward, done). next_state is (prompt, completion with the action
        appended), tuples again. done is a bool: True if the action is `eos` or the
        completion now has `t_max` tokens. reward is a float: R if done, otherwise 0.0.

    Raises:
        ValueError: if the episode is over already, that is if the completion of `state`
            ends with `eos` or has `t_max` tokens.
    """
    ### BEGIN SOLUTION
    prompt, completion = state
    if len(completion) >= t_max or completion[-1:] == (eos,):
        raise ValueError("this episode is over")
    completion = (*completion, action)
    done = action == eos or len(completion) == t_max
    return (prompt, completion), reward_fn(prompt, completion) if done else 0.0, done
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_token_mdp_step", "points": 2}
check.token_mdp_step(token_mdp_step)

# %% [markdown]
# ### The whole tree
#
# With your step function we can list every state. **The representation of an MDP used from here
# on** is a dict of three tensors, with one row per state and one column per action:
#
# - `"reward"` `[S, A]`: $r(s,a)$;
# - `"next_state"` `[S, A]`, integers: the number of the state that follows;
# - `"done"` `[S, A]`, booleans: does the episode end with this action? Where it does,
#   `next_state` holds any state's number and must be ignored.
#
# State 0 is the start, and states are numbered so that `next_state > state` wherever `done` is
# `False`: the episode only moves forward. (For a tree of prefixes this is free. For the grid of
# section 5 it takes an idea.)

# %% tags=["show"]
def tree_of(reward_fn, prompt=PROMPT, eos=STOP, t_max=LONGEST, actions=4):
    """List all states from the empty completion on; returns (prefixes, mdp)."""
    prefixes, rows = [()], []
    for prefix in prefixes:  # grows while we walk through it
        for action in range(actions):
            (_, longer), reward, done = token_mdp_step(
                (prompt, prefix), action, reward_fn, eos, t_max
            )
            rows.append((reward, 0 if done else len(prefixes), done))
            if not done:
                prefixes.append(longer)
    reward, next_state, done = (torch.tensor(x) for x in zip(*rows, strict=True))
    mdp = {"reward": reward.double(), "next_state": next_state, "done": done}
    return prefixes, {name: x.reshape(-1, actions) for name, x in mdp.items()}


prefixes, film = tree_of(sentiment)
names = [" ".join(WORDS[token] for token in prefix) for prefix in prefixes]
print(f"{len(prefixes)} states; the first five, with what each action leads to:")
for state in range(5):
    row = [
        f"{WORDS[a]}: end, {film['reward'][state, a]:+.0f}"
        if film["done"][state, a]
        else f"{WORDS[a]}: state {film['next_state'][state, a]}"
        for a in range(4)
    ]
    print(f"{state}  the film was {names[state]:5s}| " + " | ".join(row))

# %% [markdown]
# ## 2. Who earned it? Returns and TD errors
#
# The reward comes at the end; the decision may have been taken long before. *Credit assignment* is
# the attempt to find out when. The **return** from step $t$ on is
#
# $$G_t = \sum_{k=t}^{n} \gamma^{\,k-t}\, r_k .$$
#
# Count the exponents: from $t$, not from the beginning of the episode. Worked example, rewards
# $(0, 2, 0, 4)$ and $\gamma = 0.5$: $G_4 = 4$, $G_3 = 0 + 0.5\cdot 4 = 2$,
# $G_2 = 2 + 0.5\cdot 2 = 3$, $G_1 = 0 + 0.5\cdot 3 = 1.5$. Backwards, each return is one
# multiplication and one addition.

# %% tags=["show"]
predict(
    "Somebody computes all returns at once as reverse_cumsum(gamma^t r_t) / gamma^t. "
    "For gamma = 0.9 it works. When does it break?",
    [
        "never, it is the same formula",
        "for long rows and for gamma = 0",
        "for negative rewards",
    ],
    answer=1,
    why="gamma^t underflows: at gamma = 0.5 it is 0 from t = 1075 on, and 0/0 is nan. With "
    "gamma = 0 that happens at the second step.",
)

# %% [markdown]
# ### Exercise: `discounted_returns` (2 points, 10 minutes, ★)
#
# All returns of a padded batch. Padding is inert: whatever number stands there (even `nan`) must
# not leak into a return, and the result is 0 there. Keep the graph to `rewards`: section 6 will
# differentiate through this function.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "discounted_returns"}
def discounted_returns(
    rewards: torch.Tensor, mask: torch.Tensor, gamma: float
) -> torch.Tensor:
    """G_t = sum over k >= t of gamma^(k - t) r_k, up to the end of each row.

    Args:
        rewards: [B, T] r_t, any floating dtype; at padding anything, also nan.
        mask: [B, T], 1 or True on the first positions of each row, its real steps; a row
            may have none. Bool, integer or floating.
        gamma: discount, between 0 and 1, both included; gamma ** 0 is 1, also for 0.

    Returns:
        [B, T], dtype of `rewards`, 0 at padding; differentiable in `rewards`. The
        arguments are not changed.
    """
    ### BEGIN SOLUTION
    real = torch.where(mask.bool(), rewards, 0.0)
    following = torch.zeros_like(real[:, 0])
    returns = []
    for reward in real.T.flip(0):
        following = reward + gamma * following
        returns.append(following)
    return torch.stack(returns[::-1], 1)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_discounted_returns", "points": 2}
check.discounted_returns(discounted_returns)

# %% [markdown]
# ### The value of a state
#
# A return belongs to one episode. The **value** is its expectation over everything the policy may
# still write,
#
# $$v_\pi(s) = \sum_a \pi(a|s)\,\big(r(s,a) + \gamma\, v_\pi(s')\big),
#   \qquad v_\pi(\text{after the end}) = 0 .$$
#
# Worked example, $\gamma = 1$: in state *the film was not good*, one token is left. With
# $\pi = (0.3, 0.2, 0.4, 0.1)$ over `. not good bad` the rewards are $-1, -1, -2, 0$, so the value
# is $-0.3 - 0.2 - 0.8 + 0 = -1.3$. A state before it averages such numbers, and so on to the start.
#
# ### Exercise: `v_pi_exact` (1 point, 10 minutes, ★★)
#
# The values of all states, with $\gamma = 1$. You can go through the states from the last to the
# first; or start with $v = 0$ and apply the equation to all states at once until nothing changes
# any more, which takes as many rounds as the longest episode has steps. The second way is shorter,
# and much faster on large MDPs.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "v_pi_exact"}
def v_pi_exact(tree: dict[str, torch.Tensor], pi: torch.Tensor) -> torch.Tensor:
    """The value of every state under a policy, by backward recursion; gamma = 1.

    Args:
        tree: an MDP, "reward" [S, A] float64, "next_state" [S, A] long, "done" [S, A]
            bool; next_state > state wherever done is False, and arbitrary where done.
        pi: [S, A] probabilities; rows sum to 1; may contain zeros.

    Returns:
        [S] float64: v_pi of each state, with v = 0 after the end. The arguments are not
        changed.
    """
    ### BEGIN SOLUTION
    v = torch.zeros(len(pi), dtype=torch.float64, device=pi.device)
    while True:
        q = tree["reward"] + torch.where(tree["done"], 0.0, v[tree["next_state"]])
        new = (pi * q).sum(-1)
        if torch.equal(new, v):
            return v
        v = new
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_v_pi_exact", "points": 1}
check.v_pi_exact(v_pi_exact)

# %% [markdown]
# ### The TD error
#
# Once values are known, each step can be judged on the spot:
#
# $$\delta_t = r_t + \gamma\,V(s_{t+1}) - V(s_t):$$
#
# what I got, plus what I may now expect, minus what I expected before. After the last step there is
# nothing to expect. Batches of roll-outs are stored without padding: when an episode is done, **the
# next one begins in the same row**, so the number behind a done step is the value of a stranger.
#
# Worked example: $r = (0, 1, 0)$, $V = (0.5, 0.8, 0.3, 0.9)$, $\gamma = 1$, and the episode ends
# with the second step. $\delta = (0 + 0.8 - 0.5,\; 1 - 0.8,\; 0 + 0.9 - 0.3) = (0.3, 0.2, 0.6)$.
# In the middle the $0.3$ belongs to the next episode and is *not* added.
#
# ### Exercise: `td_errors` (2 points, 5 minutes, ★★)
#
# One TD error per step. Note the shapes: there is one more value than there are rewards.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "td_errors"}
def td_errors(
    r: torch.Tensor, v: torch.Tensor, done: torch.Tensor, gamma: float
) -> torch.Tensor:
    """TD errors r + gamma v' - v of a batch of roll-outs, without bootstrap after the end.

    Args:
        r: [B, T] rewards.
        v: [B, T + 1] values; v[:, t] is V(s_t), where s_t is the state before step t,
            and v[:, T] that of the state after the last step.
        done: [B, T] bool: did the episode end with this step? The next step, if there is
            one, then starts another episode, and v[:, t + 1] belongs to that.
        gamma: discount, between 0 and 1.

    Returns:
        [B, T], dtype of `r`; only values are graded. The arguments are not changed.
    """
    ### BEGIN SOLUTION
    following = torch.where(done, 0.0, v[:, 1:])
    return r + gamma * following - v[:, :-1]
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_td_errors", "points": 2}
check.td_errors(td_errors)

# %% [markdown]
# ### Credit, token by token
#
# Now compare the two signals on *the film was not bad .* and its neighbours, under a policy that
# likes the word `good`: $\pi = (0.3, 0.2, 0.4, 0.1)$ in every state.

# %% tags=["show"]
predict(
    "'the film was not bad .' earned +1. The return gives +1 to all three tokens. Which "
    "token gets a *negative* TD error?",
    ["not", "bad", "none: the sentence was a success"],
    answer=0,
    why="After 'not', this policy will most likely go on with 'good', which would cost a "
    "point: 'not' lowers the expectation. 'bad' then beats it by more than 1.",
)

# %% tags=["show"]
pi = torch.tensor([0.3, 0.2, 0.4, 0.1], dtype=torch.float64).expand(len(prefixes), 4)
values = v_pi_exact(film, pi)
for text in ("not bad .", "good .", "not not good", "good bad ."):
    tokens = [WORDS.index(word) for word in text.split()]
    state, path, step_rewards, ends = 0, [], [], []
    for token in tokens:
        path.append(state)
        step_rewards.append(film["reward"][state, token])
        ends.append(film["done"][state, token])
        state = int(film["next_state"][state, token])
    r = torch.stack(step_rewards)[None]
    V = torch.cat([values[path], torch.zeros(1)])[None]
    delta = td_errors(r, V, torch.stack(ends)[None], 1.0)[0]
    returns = discounted_returns(r, torch.ones_like(r), 1.0)[0]
    print("the film was ...   ", "".join(f"{word:>8s}" for word in text.split()))
    print("  return           ", "".join(f"{float(x):8.2f}" for x in returns))
    print("  TD error         ", "".join(f"{float(x):8.2f}" for x in delta))
    print(f"  sum of TD errors {float(delta.sum()):.2f}, R - v(start) = ", end="")
    print(f"{float(r.sum() - values[0]):.2f}\n")

# %% [markdown]
# The TD errors of an episode add up to $R - v(s_1)$ (at $\gamma=1$ the values cancel in pairs): the
# same total credit, handed out where it was earned. The slides call the TD error "an unbiased
# per-timestep advantage", $\mathbb E[\delta_t\,|\,s_t,a_t] = A_\pi(s_t,a_t)$. That holds **for the
# true value, $V = v_\pi$**. For $V = v_\pi + e$ it is $A_\pi(s_t,a_t)+\gamma\,e(s_{t+1})-e(s_t)$:
# with a network for $V$, the credit is as good as the network. Check it: the TD error of each edge
# of the tree, once with $v_\pi$, once with a $V$ that is slightly wrong.

# %% tags=["show"]
q = film["reward"] + torch.where(film["done"], 0.0, values[film["next_state"]])
advantage = q - values[:, None]
generator = torch.Generator().manual_seed(0)
noise = 0.3 * torch.randn(len(values), generator=generator, dtype=torch.float64)
for name, V in (("V = v_pi", values), ("V = v_pi + noise", values + noise)):
    after = V[film["next_state"]]
    rows = torch.stack([V[:, None].expand_as(after), after], -1).reshape(-1, 2)
    delta = td_errors(
        film["reward"].reshape(-1, 1), rows, film["done"].reshape(-1, 1), 1.0
    )
    error = (delta.reshape_as(advantage) - advantage).abs().max()
    print(f"{name:18s} largest |TD error - advantage| = {float(error):.2g}")

# %% [markdown]
# ## 3. Conversations
#
# In a conversation of $K$ turns the policy writes only some of the tokens. System prompts, user
# messages and tool results are part of the *state*; no gradient may flow from them. Otherwise we
# train the model to imitate its users. The end-of-turn token of an assistant turn **is** an action
# of the policy, the one of a user turn is not, although both have the same id.

# %% tags=["show"]
chat = [
    ("system", ["Be", "brief", "<end>"]),
    ("user", ["2", "+", "2", "?", "<end>"]),
    ("assistant", ["4", "<end>"]),
    ("user", ["sure", "?", "<end>"]),
    ("assistant", ["Yes", "<end>"]),
]
print("token  ", " ".join(f"{w:>5s}" for _, words in chat for w in words))
marks = [w if role == "assistant" else "." for role, words in chat for w in words]
print("trained", " ".join(f"{w:>5s}" for w in marks))

# %% [markdown]
# ### Exercise: `turn_mask` (1 point, 5 minutes, ★)
#
# From turns to one mask over the whole conversation. Use the roles only: the ids of the tokens
# cannot tell who wrote them.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "turn_mask"}
def turn_mask(roles: list[str], input_ids: list[list[int]]) -> torch.Tensor:
    """Mark the tokens of a conversation that the policy wrote.

    Args:
        roles: who speaks in each turn: "assistant" is the policy, any other name is not.
        input_ids: the token ids of each turn, its end-of-turn token included; a turn may
            be empty.

    Returns:
        int64 tensor [T], T the number of tokens of all turns together, in order: 1 on
        every token of an assistant turn, 0 elsewhere.

    Raises:
        ValueError: if `roles` and `input_ids` differ in length.
    """
    ### BEGIN SOLUTION
    if len(roles) != len(input_ids):
        raise ValueError("one role per turn")
    marks = [
        int(role == "assistant")
        for role, ids in zip(roles, input_ids, strict=True)
        for _ in ids
    ]
    return torch.tensor(marks, dtype=torch.int64)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_turn_mask", "points": 1}
check.turn_mask(turn_mask)

# %% [markdown]
# With the mask, Hugging Face's `labels` are the ids where it is 1 and $-100$ elsewhere, and a
# cross-entropy has a gradient only at the logits *before* assistant tokens (position $t$ predicts
# token $t+1$). The cell below draws that gradient. The figure: one bar per token of the
# conversation above, the size of the gradient of the loss in the logits that predict it; it is zero
# for all tokens of system and user, and about equal for the four of the assistant.

# %% tags=["show"]
vocabulary = sorted({w for _, words in chat for w in words})
conversation = [[vocabulary.index(w) for w in words] for _, words in chat]
mask = turn_mask([role for role, _ in chat], conversation)
ids = torch.tensor(sum(conversation, []))
labels = torch.where(mask.bool(), ids, -100)
logits = torch.zeros(len(ids), len(vocabulary), requires_grad=True)
torch.nn.functional.cross_entropy(logits[:-1], labels[1:], reduction="sum").backward()
fig, ax = style.figure(
    "Only the assistant's tokens teach", "token", "|gradient of the loss|"
)
size = torch.cat([torch.zeros(1), logits.grad.norm(dim=-1)[:-1]])
colour = [style.COLOURS["blue" if m else "black"] for m in mask]
ax.bar(range(len(ids)), size, color=colour)
ax.set_xticks(range(len(ids)), [w for _, words in chat for w in words], rotation=60)
plt.show()

# %% [markdown]
# The return of a conversation adds up the rewards of its turns, $R = \sum_k R^{(k)}$: a reward at
# each turn ("fine-grained") or one at the end are both special cases. Tokens carry the number of
# their assistant turn, and $-1$ if they are not the policy's.
#
# Worked example: turns $(-1, 0, 0, -1, 1, 1)$, rewards $(9, 0, 2, 9, 1, 3)$. Turn 0 has
# $R^{(0)} = 2$, turn 1 has $R^{(1)} = 4$, the conversation 6. The nines stand at user tokens and
# count for nothing.
#
# ### Exercise: `multi_turn_return` (1 point, 5 minutes, ★★)
#
# Add up per turn and in total. Beware of $-1$ as an index: in Python it is the last element.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "multi_turn_return"}
def multi_turn_return(
    rewards: torch.Tensor, turns: torch.Tensor, num_turns: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rewards of conversations, per assistant turn and in total; gamma = 1.

    Args:
        rewards: [B, T] reward of each token; at tokens that are not the policy's
            anything, also nan.
        turns: [B, T] long: number k = 0, 1, ... of the assistant turn that the token
            belongs to; -1 at tokens of others and at padding.
        num_turns: K; all numbers in `turns` are below it. A row may have fewer turns.

    Returns:
        (per_turn [B, K], total [B]), dtype of `rewards`: the sum of the rewards in each
        turn (0 for a turn that did not take place), and the sum over the turns. The
        arguments are not changed.
    """
    ### BEGIN SOLUTION
    own = torch.where(turns >= 0, rewards, 0.0)
    per_turn = rewards.new_zeros(len(rewards), num_turns)
    per_turn.scatter_add_(1, turns.clamp(min=0), own)
    return per_turn, per_turn.sum(1)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_multi_turn_return", "points": 1}
check.multi_turn_return(multi_turn_return)

# %% [markdown]
# ## 4. The soft Bellman equation
#
# Back to $J(\pi) = \mathbb E_\pi[R] - \beta\,\mathrm{KL}(\pi\,\|\,\pi_\text{ref})$, now token by
# token. Suppose we know $q(s,a)$, the best that can be had after taking $a$ in $s$. In one state
# this is a bandit, and its solution is known since assignment 09:
#
# $$\pi_*(a|s) = \frac{\pi_\text{ref}(a|s)\,e^{q(s,a)/\beta}}{e^{v(s)/\beta}},\qquad
#   v(s) = \beta\,\ln\sum_a \pi_\text{ref}(a|s)\,e^{q(s,a)/\beta}.$$
#
# $v$ is the **soft value**: $\beta\ln Z$ of one state. Three places for a mistake: $\pi_\text{ref}$
# weighs the sum, $1/\beta$ is inside, $\beta$ is outside.
#
# Worked example: $q = (1, 0)$, $\pi_\text{ref} = (0.25, 0.75)$, $\beta = 0.5$.
# $Z = 0.25\,e^2 + 0.75 = 2.5973$, $v = 0.5\ln 2.5973 = 0.4772$. The value lies between the
# reference's mean, $0.25$, and the maximum, $1$.

# %% tags=["show"]
predict(
    "What does the soft value tend to when beta -> 0, and when beta -> infinity?",
    [
        "max q, and the mean of q under the reference",
        "the mean under the reference, and max q",
        "0, and infinity",
    ],
    answer=0,
    why="A weak leash lets you choose the best action; a strong one makes you do what the "
    "reference does. The soft value is the bridge between a maximum and a mean.",
)

# %% [markdown]
# ### Exercise: `soft_value` (2 points, 10 minutes, ★)
#
# The formula, over the last dimension. Small $\beta$ makes $q/\beta$ large: $e^{1000}$ is infinite
# in floating point, so let `logsumexp` do the sum. An action that the reference never takes has
# $\ln\pi_\text{ref} = -\infty$ and simply drops out.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "soft_value"}
def soft_value(q: torch.Tensor, ref_logps: torch.Tensor, beta: float) -> torch.Tensor:
    """Soft value beta ln sum_a pi_ref(a) exp(q(a) / beta) of each state.

    Args:
        q: [..., A] finite action values.
        ref_logps: [..., A] ln pi_ref, normalised; -inf for actions that the reference
            never takes (not all of them).
        beta: strength of the KL penalty, > 0.

    Returns:
        [...] of q's dtype, finite also where q / beta is large; differentiable in `q`.
        The arguments are not changed.
    """
    ### BEGIN SOLUTION
    return beta * torch.logsumexp(ref_logps + q / beta, -1)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_soft_value", "points": 2}
check.soft_value(soft_value)

# %% [markdown]
# ### Exercise: `soft_optimal_policy` (1 point, 5 minutes, ★)
#
# The policy that belongs to $q$, as probabilities. Same traps, and the same large numbers.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "soft_optimal_policy"}
def soft_optimal_policy(
    q: torch.Tensor, ref_logps: torch.Tensor, beta: float
) -> torch.Tensor:
    """The policy pi(a|s) proportional to pi_ref(a|s) exp(q(s, a) / beta).

    Args:
        q: [..., A] finite action values.
        ref_logps: [..., A] ln pi_ref, normalised; -inf for actions that the reference
            never takes (not all of them).
        beta: strength of the KL penalty, > 0.

    Returns:
        [..., A] probabilities of q's dtype; rows sum to 1, and are 0 where the
        reference is 0. The arguments are not changed.
    """
    ### BEGIN SOLUTION
    return torch.softmax(ref_logps + q / beta, -1)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_soft_optimal_policy", "points": 1}
check.soft_optimal_policy(soft_optimal_policy)

# %% [markdown]
# ### Theorem 1
#
# Where does $q$ come from? From the states behind:
#
# $$q(s,a) = r(s,a) + \gamma\,v(s'),\qquad v(\text{after the end}) = 0 .$$
#
# The slide writes $v(s')$ out and does not say what stands there at the last token. Nothing does:
# there is no next state, and with a stray $v$ of something else the reward of the end would be
# counted with whatever follows it in memory.
#
# ### Exercise: `soft_bellman_backup` (3 points, 20 minutes, ★★)
#
# Solve the equation for all states of an MDP in the representation of section 1. Only `soft_value`
# and one of the two ways of `v_pi_exact` are needed. $\gamma$ multiplies the value of the next
# state, not the reward.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "soft_bellman_backup"}
def soft_bellman_backup(
    r: torch.Tensor,
    next_state: torch.Tensor,
    done: torch.Tensor,
    ref_logps: torch.Tensor,
    beta: float,
    gamma: float = 1.0,
) -> torch.Tensor:
    """The solution q of the soft Bellman equation of a deterministic MDP.

    Args:
        r: [S, A] rewards, float64.
        next_state: [S, A] long; larger than the state's own number wherever `done` is
            False, and arbitrary (but a valid number) where it is True.
        done: [S, A] bool: the episode ends with this action.
        ref_logps: [S, A] ln pi_ref, may contain -inf.
        beta: strength of the KL penalty, > 0.
        gamma: discount, between 0 and 1.

    Returns:
        [S, A] float64: q(s, a) = r(s, a) + gamma v(s'), with v the soft value of q, and
        0 after the end. The arguments are not changed.
    """
    ### BEGIN SOLUTION
    q = r
    while True:
        v = soft_value(q, ref_logps, beta)
        new = r + gamma * torch.where(done, 0.0, v[next_state])
        if torch.equal(new, q):
            return new
        q = new
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_soft_bellman_backup", "points": 3}
check.soft_bellman_backup(soft_bellman_backup)

# %% [markdown]
# ### The same optimum, twice
#
# Assignment 09 solved the problem for whole sequences:
# $\pi_*(y) = \pi_\text{ref}(y)\,e^{R(y)/\beta}/Z$. Now it has been solved token by token. Are these
# the same policy? Multiply the token probabilities along each of the sentences and compare.

# %% tags=["show"]
BETA = 0.5
film_ref = pi.log()
film_q = soft_bellman_backup(
    film["reward"], film["next_state"], film["done"], film_ref, BETA
)
film_pi = soft_optimal_policy(film_q, film_ref, BETA)


def sentences(mdp, policy, state=0, words=(), p=1.0):
    """All finished sentences: (words, probability, reward)."""
    for action in range(4):
        line, chance = (*words, WORDS[action]), p * float(policy[state, action])
        if mdp["done"][state, action]:
            yield line, chance, float(mdp["reward"][state, action])
        else:
            following = int(mdp["next_state"][state, action])
            yield from sentences(mdp, policy, following, line, chance)


listed = list(sentences(film, film_pi))
ref_p = torch.tensor([p for _, p, _ in sentences(film, pi)], dtype=torch.float64)
rewards = torch.tensor([R for *_, R in listed], dtype=torch.float64)
Z = (ref_p * (rewards / BETA).exp()).sum()
token_p = torch.tensor([p for _, p, _ in listed], dtype=torch.float64)
sequence_p = ref_p * (rewards / BETA).exp() / Z
print(f"{len(listed)} sentences; the most likely under the optimal policy:")
for i in token_p.argsort(descending=True)[:5]:
    print(f"  {float(token_p[i]):.4f}  {float(sequence_p[i]):.4f}  the film was", end=" ")
    print(" ".join(listed[i][0]), f"  (R = {rewards[i]:+.0f})")
print(f"largest difference over all sentences  {(token_p - sequence_p).abs().max():.1e}")
v_start = soft_value(film_q, film_ref, BETA)[0]
print(f"soft value of the start {v_start:.6f}, beta ln Z {BETA * Z.log():.6f}")

# %% tags=["show"]
predict(
    "Now gamma = 0.9 in the backup. Is the policy still pi_ref exp(R / beta) / Z?",
    [
        "yes, gamma only rescales the values",
        "no: rewards far away lose weight, long sentences suffer",
    ],
    answer=1,
    why="The backup then maximises a discounted sum. A last token pays R, but seen from "
    "the start only gamma^(n-1) R, and the KL terms are discounted as well.",
)

# %% tags=["show"]
for gamma in (1.0, 0.9, 0.5):
    discounted_q = soft_bellman_backup(
        film["reward"], film["next_state"], film["done"], film_ref, BETA, gamma
    )
    policy = soft_optimal_policy(discounted_q, film_ref, BETA)
    p = torch.tensor([p for _, p, _ in sentences(film, policy)], dtype=torch.float64)
    print(f"gamma {gamma}: largest difference to pi_ref exp(R/beta)/Z ", end="")
    print(f"{(p - sequence_p).abs().max():.4f},  P(first word) {policy[0].numpy().round(3)}")

# %% [markdown]
# ### How good is any policy?
#
# Methods that learn are judged by their **regret** $J(\pi_*) - J(\pi) = v(s_1) - v_\pi(s_1)$, where
# $v_\pi$ now is the regularised value of a policy that need not be optimal. The KL divergence of
# two laws over sequences is a sum over their tokens, so the penalty is paid at every state:
#
# $$v_\pi(s) = \sum_a\pi(a|s)\Big(r(s,a) - \beta\ln\frac{\pi(a|s)}{\pi_\text{ref}(a|s)}
#   + v_\pi(s')\Big).$$
#
# Worked example, one state and two actions that both end: $r = (1, 0)$,
# $\pi = (0.5, 0.5)$, $\pi_\text{ref} = (0.25, 0.75)$, $\beta = 0.5$:
# $v = 0.5\,(1 - 0.5\ln 2) + 0.5\,(0 - 0.5\ln\tfrac23) = 0.4281$. The optimum was $0.4772$.
#
# ### Exercise: `evaluate_policy_kl` (2 points, 10 minutes, ★★)
#
# `v_pi_exact` with the penalty. A trained policy has probabilities that underflow to 0; such an
# action contributes nothing ($0\ln 0 = 0$), not `nan`.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "evaluate_policy_kl"}
def evaluate_policy_kl(
    mdp: dict[str, torch.Tensor], pi: torch.Tensor, ref: torch.Tensor, beta: float
) -> torch.Tensor:
    """The regularised value of every state under a policy; gamma = 1.

    Args:
        mdp: "reward" [S, A] float64, "next_state" [S, A] long, "done" [S, A] bool;
            next_state > state wherever done is False, and arbitrary where done.
        pi: [S, A] probabilities of the policy; may be 0, and is 0 wherever `ref` is.
        ref: [S, A] probabilities of the reference; may be 0.
        beta: strength of the KL penalty, >= 0.

    Returns:
        [S] float64: E[sum over the steps that follow of r - beta ln(pi / ref)], finite.
        The arguments are not changed.
    """
    ### BEGIN SOLUTION
    taken = pi > 0
    log_ratio = torch.where(taken, pi, 1.0).log() - torch.where(taken, ref, 1.0).log()
    paid = mdp["reward"] - beta * log_ratio
    v = torch.zeros(len(pi), dtype=torch.float64, device=pi.device)
    while True:
        new = (pi * (paid + torch.where(mdp["done"], 0.0, v[mdp["next_state"]]))).sum(-1)
        if torch.equal(new, v):
            return v
        v = new
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_evaluate_policy_kl", "points": 2}
check.evaluate_policy_kl(evaluate_policy_kl)

# %% tags=["show"]
greedy = torch.nn.functional.one_hot(film_q.argmax(-1), 4).double()
print("film tree, beta = 0.5           J      regret")
for name, policy in (("optimal", film_pi), ("reference", pi), ("greedy", greedy)):
    J = float(evaluate_policy_kl(film, policy, pi, BETA)[0])
    print(f"  {name:22s} {J:9.4f} {float(v_start) - J:9.4f}")

# %% [markdown]
# ## 5. The grid of the lecture
#
# Five by five cells, start at the top left, four moves. The slides show two reward settings; the
# second is printed with three of its five rows, so we say in full what we mean, in (row, column)
# from 1:
#
# | setting | rewards |
# | --- | --- |
# | `"final"` | $+7$ on entering $(5,5)$, which ends the episode |
# | `"fine"` | $+3$ on entering $(2,4)$ for the first time, $+4$ on entering $(3,5)$, which ends the episode |
#
# A step off the grid stays where it is; bumping into the wall is not entering. The reference is
# uniform over the four moves, $\beta = 1$, $\gamma = 1$.
#
# One thing is missing on the slides: **a clock**. An LLM has $T_{\max}$. Without it a walker with
# a uniform reference reaches the goal sooner or later with probability 1, every policy that
# dawdles gets its 7, and the optimal policy *is the reference*. So an episode ends after
# $T = 12$ moves at the latest (8 are needed to reach $(5,5)$), and the time belongs to the state:
# five moves from the goal with three moves left is not the same place as with nine.
#
# `sft2rl.grid` holds the map. A *place* is a cell and, in the fine setting, a flag that says
# whether the $+3$ has been taken: 25 or 50 places, place 0 is the start.

# %% tags=["show"]
world = grid.places("final")
print({name: tuple(x.shape) for name, x in world.items()}, "· T =", grid.HORIZON)
for row, col in ((1, 1), (4, 5)):
    place = grid.cell(row, col)
    for a, action in enumerate(grid.ACTIONS):
        print(
            f"({row},{col}) {action:6s} -> place {world['next_place'][place, a]:2d}"
            f"   reward {world['reward'][place, a]:.0f}   done {world['done'][place, a]}"
        )

# %% tags=["show"]
predict(
    "The best regularised value of the final-reward grid, J(pi_*), lies between 0 and 7. "
    "Reaching the goal earns 7; a uniform walker almost never gets there in 12 moves. Guess!",
    ["about 6.5", "about 2.7", "about 0.1"],
    answer=1,
    why="pi_* reaches the goal most of the time: E[R] is 6.53. But being so different "
    "from a uniform walk costs 3.84 nats. 0.09 is what the reference gets.",
)

# %% [markdown]
# ### Exercise: `grid_soft_optimum` (2 points, 20 minutes, ★★)
#
# Put the clock into the state and solve. State number $P\,t + \text{place}$, for $t = 0,\dots,11$
# moves made before: an MDP in the representation of section 1, with $12\,P$ states, whose
# successors have larger numbers because time only goes forward. The twelfth move ends the episode
# wherever it leads (and is paid if it enters a goal). Then call your functions of section 4 with
# the uniform reference.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "grid_soft_optimum"}
def grid_soft_optimum(
    kind: str, beta: float = 1.0
) -> tuple[dict[str, torch.Tensor], torch.Tensor, float]:
    """The grid with a clock, and its optimal policy for a uniform reference; gamma = 1.

    Args:
        kind: "final" or "fine", for `grid.places`, which gives the P places.
        beta: strength of the KL penalty, > 0.

    Returns:
        (mdp, pi, value). mdp: "reward" [S, 4] float64, "next_state" [S, 4] long, "done"
        [S, 4] bool, with S = grid.HORIZON * P; state P * t + place is `place` after t
        moves; next_state is a valid number everywhere, and arbitrary where done. pi:
        [S, 4] probabilities. value: J(pi_*), the soft value of state 0, a Python float.

    Raises:
        ValueError: if `kind` is neither (from `grid.places`).
    """
    ### BEGIN SOLUTION
    world = grid.places(kind)
    P, T = len(world["done"]), grid.HORIZON
    t = torch.arange(T)[:, None, None]
    done = (world["done"] | (t == T - 1)).reshape(-1, 4)
    next_state = (P * (t + 1) + world["next_place"]).reshape(-1, 4)
    mdp = {
        "reward": world["reward"].repeat(T, 1),
        "next_state": torch.where(done, 0, next_state),
        "done": done,
    }
    ref_logps = torch.full_like(mdp["reward"], 0.25).log()
    q = soft_bellman_backup(
        mdp["reward"], mdp["next_state"], mdp["done"], ref_logps, beta
    )
    value = soft_value(q[0], ref_logps[0], beta)
    return mdp, soft_optimal_policy(q, ref_logps, beta), float(value)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_grid_soft_optimum", "points": 2}
check.grid_soft_optimum(grid_soft_optimum)

# %% [markdown]
# The figure: three maps of 5 by 5 cells. Colour and number are the soft value of being in a cell
# after 4 moves; the arrows are the optimal policy, each as long as its move is likely. Left, the
# final-reward grid: values grow from 0.8 at the start, which can just make it, to 6.3 next to the
# goal at the bottom right, and arrows point right and down. Middle, the fine grid before the $+3$
# was taken: arrows bend to $(2,4)$, from above, from the left and from below. Right, the same after
# it was taken: arrows lead to $(3,5)$ and ignore $(2,4)$.

# %% tags=["show"]
fig, axes = plt.subplots(1, 3, layout="constrained", figsize=(10.5, 3.9))
panels = (("final", 4, 0), ("fine", 4, 0), ("fine", 4, 1))
for ax, (kind, t, flag) in zip(axes, panels, strict=True):
    mdp, optimum, _ = grid_soft_optimum(kind)
    v = evaluate_policy_kl(mdp, optimum, torch.full_like(optimum, 0.25), 1.0)
    widgets_shiq.draw_map(ax, kind, v, optimum, t, flag)
plt.show()

# %% [markdown]
# **Play.** Move the clock forward and watch a hopeless region grow, where the goal is too far for
# the moves that are left and all four arrows are equal; turn $\beta$ down until the policy is
# nearly greedy, and up until it hardly leaves the reference.

# %% tags=["show"]
widgets_shiq.grid_lab(grid_soft_optimum, evaluate_policy_kl)

# %% [markdown]
# ## 6. ShiQ: a Bellman equation for logits
#
# The backup needs every state. A language model has too many, but it has *data*: sequences that
# somebody sampled, with rewards. The naive idea is to make a network for $q$ satisfy the soft
# Bellman equation on the data, in least squares. The slides name three things that are wrong with
# it, and each is repaired by one step.
#
# **Sampling.** The policy of $q$ is
# $\pi(a|s) \propto \exp\frac{q(s,a) + \beta\ln\pi_\text{ref}(a|s)}{\beta}$: to write a token we
# would need two networks. **Initialisation.** Where would $q$ start? We have a pretrained model,
# and throwing it away is not an option. Both are cured by learning *logits*: with
#
# $$\ell(s,a) = \ell_\text{ref}(s,a) + \frac{q(s,a)}{\beta}$$
#
# (that is ShiQ: **shi**fted **Q**) the policy is simply $\pi = \mathrm{softmax}(\ell)$, and $q = 0$
# is $\ell=\ell_\text{ref}$, the pretrained model. Write $v_\ell(s) = \ln\sum_a e^{\ell(s,a)}$,
# **without** $\beta$, and $v_\text{ref}$ for the same of $\ell_\text{ref}$. Then
#
# $$v(s) = \beta\ln\sum_a\pi_\text{ref}(a|s)\,e^{q(s,a)/\beta}
#   = \beta\ln\sum_a e^{\ell_\text{ref}(s,a) - v_\text{ref}(s) + q(s,a)/\beta}
#   = \beta\,\big(v_\ell(s) - v_\text{ref}(s)\big).$$
#
# The soft value of a state can be read off the logits: it is how far their *level* has moved. That
# uses something that a softmax throws away. Adding a constant to all logits of a state changes no
# probability, but it changes $v_\ell$. **ShiQ gives a meaning to the level of the logits;** DPO,
# CoPG and policy gradient cannot see it.
#
# ### The bandit first
#
# One state, one action, then the end: $q(s,a) = R(a)$, so the Bellman residual is
# $R - \beta\,(\ell(y) - \ell_\text{ref}(y))$. The most modern loss of this course is a plain least
# squares fit of rewards by raw logits:
#
# $$L = \frac1N\sum_i\big(R_i - \beta\,(\ell(y_i) - \ell_\text{ref}(y_i))\big)^2 .$$
#
# Worked example: $\ell = (1, 0, 2)$, $\ell_\text{ref} = (0.5, 0, 1)$, $\beta = 0.5$; the samples
# are arm 0 with $R = 2$ and arm 2 with $R = 1$. Residuals $2 - 0.25 = 1.75$ and $1 - 0.5 = 0.5$,
# loss $(3.0625 + 0.25)/2 = 1.65625$.
#
# ### Exercise: `shiq_bandit_loss` (2 points, 10 minutes, ★)
#
# Logits as they are: no softmax anywhere.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "shiq_bandit_loss"}
def shiq_bandit_loss(
    logits: torch.Tensor,
    ref_logits: torch.Tensor,
    action: torch.Tensor,
    R: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    """ShiQ for one state and one action per episode, to be minimised.

    Args:
        logits: [Y] raw logits of the policy; may carry a graph.
        ref_logits: [Y] raw logits of the reference, a constant.
        action: [N] long, the arm of each sample, from any law.
        R: [N] reward of each sample.
        beta: strength of the KL penalty, > 0.

    Returns:
        0-d tensor: the mean over the samples of (R - beta (l - l_ref))^2, in the raw
        logits of the sampled arms; differentiable in `logits`.
    """
    ### BEGIN SOLUTION
    shift = logits[action] - ref_logits[action]
    return ((R - beta * shift) ** 2).mean()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_shiq_bandit_loss", "points": 2}
check.shiq_bandit_loss(shiq_bandit_loss)

# %% [markdown]
# The bandit of the slides again: rewards $(2.5, 2, 1)$, uniform reference, $\beta = 0.5$, ten
# thousand samples that are mostly the worst arm (assignment 11). ShiQ needs single samples; CoPG
# (here in its squared form, $(\beta\Delta h - \Delta R)^2$) needs pairs.

# %% tags=["show"]
predict(
    "Both reach pi_*. Who needs fewer Adam steps (lr 0.01) in this bandit?",
    ["ShiQ: it is only least squares", "CoPG", "the same"],
    answer=1,
    why="CoPG must get two differences of logits right. ShiQ must also lift the *level*: "
    "the best logit has to climb from 0 to R / beta = 5, at 0.01 per step.",
)

# %% [markdown]
# The figure: regret (log scale) against Adam step. CoPG falls below $10^{-4}$ after about 400
# steps, ShiQ after about 1200; both go on to zero.

# %% tags=["show"]
R3, l_ref = torch.tensor([2.5, 2.0, 1.0]).double(), torch.zeros(3).double()
generator = torch.Generator().manual_seed(0)
habit = torch.tensor([[0.10, 0.20, 0.70], [0.05, 0.05, 0.90]])
first, second = torch.multinomial(habit, 10_000, replacement=True, generator=generator)


def bandit_regret(logits):
    """beta KL(pi || pi_*), the regret of a softmax policy."""
    log_pi, best = logits.log_softmax(0), (R3 / BETA).log_softmax(0)
    return float(BETA * (log_pi.exp() * (log_pi - best)).sum())


def squared_copg(logits, y, y2):
    """(beta Delta h - Delta R)^2; the uniform reference cancels."""
    gap = BETA * (logits[y] - logits[y2]) - (R3[y] - R3[y2])
    return (gap**2).mean()


def run(loss, steps=2000):
    """Regret before each of the Adam steps, on minibatches of 256 pairs."""
    logits = l_ref.clone().requires_grad_()
    adam, curve = torch.optim.Adam([logits], lr=1e-2), []
    for step in range(steps):
        rows = (step * 256 + torch.arange(256)) % len(first)
        curve.append(bandit_regret(logits.detach()))
        adam.zero_grad()
        loss(logits, first[rows], second[rows]).backward()
        adam.step()
    return torch.tensor(curve), logits.detach()


def single_samples(logits, y, y2):
    """ShiQ on the same arms, unpaired."""
    arms = torch.cat([y, y2])
    return shiq_bandit_loss(logits, l_ref, arms, R3[arms], BETA)


fig, ax = style.figure(
    "Offline bandit, β = 0.5", "Adam step", "regret (log scale)"
)
for name, loss, colour in (
    ("ShiQ", single_samples, "blue"),
    ("CoPG", squared_copg, "orange"),
):
    curve, learnt = run(loss)
    ax.semilogy(curve.clamp(min=1e-12), color=style.COLOURS[colour], label=name)
    print(f"{name}: logits {learnt.numpy().round(3)}, last regret {curve[-1]:.1e}")
ax.legend()
plt.show()

# %% [markdown]
# Look at the logits. CoPG's have the right differences, 1 and 3, at no particular level. ShiQ's are
# $R/\beta = (5, 4, 2)$: the model has become its own reward model.
#
# ### Sequences: going multi-step
#
# Insert $q = \beta(\ell-\ell_\text{ref})$ and $v = \beta(v_\ell - v_\text{ref})$ into the soft
# Bellman equation, and use $\ln\pi = \ell - v_\ell$. The residual of **one step** is
#
# $$\delta^{1}_t = r_t - \beta\ln\frac{\pi(a_t|s_t)}{\pi_\text{ref}(a_t|s_t)}
#   + \gamma\,\beta\,\big(v_\ell - v_\text{ref}\big)(s_{t+1})
#   - \beta\,\big(v_\ell - v_\text{ref}\big)(s_t),$$
#
# where the third term is absent at the last step. If the reward comes at the end, it reaches the
# first token only after it has been passed back through all values in between. That was the third
# defect, and the repair is to add the equations of all later steps, discounted: the values between
# cancel in pairs, and what is left is the **multi-step** residual
#
# $$\delta_t = \sum_{k=t}^{n}\gamma^{\,k-t}\,\delta^{1}_k
#   = \sum_{k=t}^{n}\gamma^{\,k-t}\Big(r_k - \beta\ln\frac{\pi(a_k|s_k)}{\pi_\text{ref}(a_k|s_k)}\Big)
#   - \beta\,\big(v_\ell - v_\text{ref}\big)(s_t).$$
#
# Read it: *return with penalties, minus the value that the logits claim*. No second network, no
# pairs, and data from anywhere.
#
# Worked example, two actions, two steps, $\ell_\text{ref} = 0$, $\beta = 1$, $\gamma = 1$:
# logits $(\ln 3, 0)$ at step 1 and $(0, 0)$ at step 2; actions 0, 1; rewards $0, 1$.
#
# - Step 1: $\pi(a_1) = \tfrac34$, $\pi_\text{ref} = \tfrac12$, log-ratio $\ln 1.5$;
#   $v_\ell - v_\text{ref} = \ln 4 - \ln 2 = \ln 2$. Step 2: log-ratio 0, $v_\ell-v_\text{ref} = 0$.
# - $\delta_2 = 1 - 0 = 1$.
# - $\delta_1 = (0 - \ln 1.5) + (1 - 0) - \ln 2 = 1 - \ln 3 = -0.0986$.
#
# Read $\delta_1$: the logits claim $q = \ln 3 = 1.0986$ for the first action, and what followed was
# worth $1$.
#
# ### Exercise: `shiq_residuals` (4 points, 30 minutes, ★★★)
#
# The multi-step residuals of a padded batch. `logits[:, t]` already belong to the state in which
# `actions[:, t]` was taken: nothing is shifted here. Your `discounted_returns` does the sum.
# Nothing is detached: $\pi$ and $v_\ell$ both learn.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "shiq_residuals"}
def shiq_residuals(
    logits: torch.Tensor,
    ref_logits: torch.Tensor,
    actions: torch.Tensor,
    rewards: torch.Tensor,
    mask: torch.Tensor,
    beta: float,
    gamma: float = 1.0,
) -> torch.Tensor:
    """Multi-step ShiQ residuals delta_t of each step (2505.11081; the slide's L_ShiQ).

    Args:
        logits: [B, T, V] raw logits of the policy; logits[:, t] belong to the state in
            which actions[:, t] was taken; may carry a graph.
        ref_logits: [B, T, V] raw logits of the reference, a constant.
        actions: [B, T] long, ids 0 .. V - 1, also at padding.
        rewards: [B, T] r(s_t, a_t).
        mask: [B, T], 1 or True on the first positions of each row, its real steps.
            Finite numbers at padding have no influence.
        beta: strength of the KL penalty, > 0.
        gamma: discount, between 0 and 1.

    Returns:
        [B, T], dtype of `logits`, 0 at padding; differentiable in `logits` with nothing
        detached. With v = logsumexp of the raw logits (no beta):
        delta_t = sum over k >= t of gamma^(k - t) (r_k - beta ln(pi / pi_ref)(a_k | s_k))
        - beta (v_logits - v_ref)(s_t). The arguments are not changed.
    """
    ### BEGIN SOLUTION
    index = actions[..., None]
    value, ref_value = logits.logsumexp(-1), ref_logits.logsumexp(-1)
    log_pi = logits.gather(-1, index)[..., 0] - value  # the logarithm of the softmax
    log_ref = ref_logits.gather(-1, index)[..., 0] - ref_value
    returns = discounted_returns(rewards - beta * (log_pi - log_ref), mask, gamma)
    return torch.where(mask.bool(), returns - beta * (value - ref_value), 0.0)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_shiq_residuals", "points": 4}
check.shiq_residuals(shiq_residuals)

# %% [markdown]
# ### Two tests that the theory promises
#
# **At the solution** $\ell_\text{ref} + q/\beta$ each residual is zero, on *every* sequence,
# whoever wrote it: that is why the data may come from anywhere. **At the reference, without
# rewards,** each residual is zero as well: that is the initialisation trick, and it is why
# $v_\text{ref}$ must not be left out.

# %% tags=["show"]
lines, rows_of_states = [line for line, *_ in listed], []
for line in lines:
    path, state = [], 0
    for word in line:
        path.append(state)
        state = int(film["next_state"][state, WORDS.index(word)])
    rows_of_states.append(path + [0] * (LONGEST - len(path)))
path_states = torch.tensor(rows_of_states)
path_mask = torch.tensor([[t < len(line) for t in range(LONGEST)] for line in lines])
path_actions = torch.tensor(
    [[WORDS.index(w) for w in line] + [0] * (LONGEST - len(line)) for line in lines]
)
path_rewards = film["reward"][path_states, path_actions]
film_logits = film_ref + 3.0  # a reference whose logits are not normalised


def film_residuals(table, r=path_rewards, gamma=1.0):
    """Residuals on all 40 sentences, for a table of logits [S, 4]."""
    return shiq_residuals(
        *(table[path_states], film_logits[path_states], path_actions),
        *(r, path_mask, BETA, gamma),
    )


print("largest |residual| over all sentences")
solution = film_logits + film_q / BETA
for name, residuals in {
    "at l_ref + q / beta": film_residuals(solution),
    "the same plus 1 in every state": film_residuals(solution + 1),
    "at l_ref, no rewards": film_residuals(film_logits, torch.zeros_like(path_rewards)),
    "at l_ref, with the rewards": film_residuals(film_logits),
}.items():
    print(f"  {name:34s} {residuals.abs().max():.1e}")

# %% tags=["show"]
predict(
    "Line 2: adding 1 to all logits of every state changes no probability. Why did the "
    "residuals change?",
    [
        "rounding",
        "the level of the logits is the value of the state",
        "a bug in shiq_residuals",
    ],
    answer=1,
    why="beta (v_l - v_ref) went up by beta = 0.5 everywhere, the returns did not. The "
    "policy is still optimal, but the logits now claim too much.",
)

# %% [markdown]
# ### The bracket on the slide
#
# The slide's $L_\text{ShiQ}$ closes the bracket after the sum over $t$ and squares the whole:
# $\big[\sum_t \delta_t\big]^2$. Read literally, residuals of opposite signs cancel, and a sequence
# with $\delta = (5, -5)$ is as good as solved. What the derivation gives is one equation *per
# position*, hence one square per position:
#
# $$L_\text{ShiQ} = \mathbb E_{(x,y)\sim\mathcal D}\Big[\sum_{t=1}^{n}\delta_t^2\Big].$$
#
# Worked example, two sequences with residuals $(1, -0.5)$ and $(2)$: $(1 + 0.25 + 4)/2 = 2.625$.
# The squared sums would give $(0.25 + 4)/2 = 2.125$, the mean over the three positions $1.75$.
#
# ### Exercise: `shiq_loss` (2 points, 5 minutes, ★)
#
# The sum over the positions, the mean over the sequences. Call `shiq_residuals`.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "shiq_loss"}
def shiq_loss(
    logits: torch.Tensor,
    ref_logits: torch.Tensor,
    actions: torch.Tensor,
    rewards: torch.Tensor,
    mask: torch.Tensor,
    beta: float,
    gamma: float = 1.0,
) -> torch.Tensor:
    """The ShiQ loss, to be minimised: sum of squares per sequence, mean over sequences.

    Args:
        logits, ref_logits, actions, rewards, mask, beta, gamma: as in `shiq_residuals`.

    Returns:
        0-d tensor: (1 / B) times the sum over sequences and real positions of delta_t^2;
        differentiable in `logits` with nothing detached.
    """
    ### BEGIN SOLUTION
    residuals = shiq_residuals(
        logits, ref_logits, actions, rewards, mask, beta, gamma
    )
    return (residuals**2).sum(1).mean()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_shiq_loss", "points": 2}
check.shiq_loss(shiq_loss)

# %% [markdown]
# ### Exercise: `shiq_one_step_residuals` (2 points, 15 minutes, ★★)
#
# The residuals $\delta^1_t$ before they are summed, with the same arguments. The last *real* step
# of a row has no third term, even if padding follows. Classical Q-learning would detach
# $v(s_{t+1})$ and call it a target; here nothing is detached.
#
# Check yourself with the identity above: `discounted_returns(one_step, mask, gamma)` must equal
# `shiq_residuals`.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "shiq_one_step_residuals"}
def shiq_one_step_residuals(
    logits: torch.Tensor,
    ref_logits: torch.Tensor,
    actions: torch.Tensor,
    rewards: torch.Tensor,
    mask: torch.Tensor,
    beta: float,
    gamma: float = 1.0,
) -> torch.Tensor:
    """One-step residuals of the soft Bellman equation in the logits.

    Args:
        logits, ref_logits, actions, rewards, mask, beta, gamma: as in `shiq_residuals`.

    Returns:
        [B, T], dtype of `logits`, 0 at padding; differentiable in `logits` with nothing
        detached. With w = beta (v_logits - v_ref):
        r_t - beta ln(pi / pi_ref)(a_t | s_t) + gamma w(s_{t+1}) - w(s_t),
        where the third term is missing at the last real step of each row.
    """
    ### BEGIN SOLUTION
    index = actions[..., None]
    log_pi = logits.log_softmax(-1).gather(-1, index)[..., 0]
    log_ref = ref_logits.log_softmax(-1).gather(-1, index)[..., 0]
    value = beta * (logits.logsumexp(-1) - ref_logits.logsumexp(-1))
    value = torch.where(mask.bool(), value, 0.0)
    following = torch.cat([value[:, 1:], torch.zeros_like(value[:, :1])], 1)
    residuals = rewards - beta * (log_pi - log_ref) + gamma * following - value
    return torch.where(mask.bool(), residuals, 0.0)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_shiq_one_step_residuals", "points": 2}
check.shiq_one_step_residuals(shiq_one_step_residuals)

# %% [markdown]
# ## 7. The baselines: multi-turn CoPG and DPO
#
# Both compare two trajectories $\tau_1$, $\tau_2$ of the same start, of lengths $N$ and $M$,
# through the *sums* of their log-ratios, $h(\tau) = \sum_t \ln\pi(a_t|s_t) -
# \ln\pi_\text{ref}(a_t|s_t)$ over the policy's own tokens:
#
# $$L_\text{CoPG} = \mathbb E\big[(\beta\,\Delta h - \Delta R)^2\big],\qquad
#   L_\text{DPO} = -\,\mathbb E\big[\ln\sigma(\beta\,\Delta h)\big],$$
#
# with $\Delta h = h(\tau_1)-h(\tau_2)$ and $\Delta R = R(\tau_1)-R(\tau_2)$. In the second,
# $\tau_1$ is the preferred one, which the slide does not say. The first is the *squared form*, to
# be minimised: it equals $-2\beta\,\ell_\text{CoPG} + \Delta R^2$ with the objective $\ell$ of
# assignment 11, which is to be maximised.
#
# Worked example, $\beta=0.5$: $h(\tau_1) = 0.3 + 0.5 = 0.8$ (two tokens), $h(\tau_2) = -0.4$ (one
# token), so $\beta\Delta h = 0.6$. With $R = 2$ and $1$: $(0.6 - 1)^2 = 0.16$. DPO:
# $-\ln\sigma(0.6) = 0.4375$.
#
# ### Exercise: `multi_turn_copg_loss` (1 point, 10 minutes, ★)
#
# Token-level inputs and masks; in a conversation the masks have holes where the user speaks. The
# two sides are padded to different widths: sum before you subtract.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "multi_turn_copg_loss"}
def multi_turn_copg_loss(
    logp: torch.Tensor,
    logp2: torch.Tensor,
    ref: torch.Tensor,
    ref2: torch.Tensor,
    mask: torch.Tensor,
    mask2: torch.Tensor,
    R: torch.Tensor,
    R2: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    """CoPG on pairs of trajectories in its squared form, to be minimised.

    Args:
        logp, logp2: [B, N] and [B, M] ln pi of the tokens of the first and of the second
            trajectory; may carry a graph.
        ref, ref2: [B, N] and [B, M] ln pi_ref of the same tokens.
        mask, mask2: [B, N] and [B, M], 1 or True on the policy's own tokens, in any
            positions; elsewhere finite numbers have no influence.
        R, R2: [B] returns of the trajectories.
        beta: strength of the KL penalty, > 0.

    Returns:
        0-d tensor: the mean over the pairs of (beta (h - h2) - (R - R2))^2, h the sum
        of ln pi - ln pi_ref; differentiable in `logp` and `logp2`.
    """
    ### BEGIN SOLUTION
    h = ((logp - ref) * mask).sum(1)
    h2 = ((logp2 - ref2) * mask2).sum(1)
    return ((beta * (h - h2) - (R - R2)) ** 2).mean()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_multi_turn_copg_loss", "points": 1}
check.multi_turn_copg_loss(multi_turn_copg_loss)

# %% [markdown]
# ### Exercise: `multi_turn_dpo_loss` (1 point, 5 minutes, ★)
#
# The same sums; no rewards, only who won. $-\ln\sigma(x)$ must stay finite for $x=-2000$, which
# long trajectories reach.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "multi_turn_dpo_loss"}
def multi_turn_dpo_loss(
    chosen_logps: torch.Tensor,
    rejected_logps: torch.Tensor,
    ref_chosen_logps: torch.Tensor,
    ref_rejected_logps: torch.Tensor,
    chosen_mask: torch.Tensor,
    rejected_mask: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    """DPO on pairs of trajectories, to be minimised.

    Args:
        chosen_logps, rejected_logps: [B, N] and [B, M] ln pi of the tokens of the
            preferred and of the other trajectory; may carry a graph.
        ref_chosen_logps, ref_rejected_logps: [B, N] and [B, M] ln pi_ref of them.
        chosen_mask, rejected_mask: [B, N] and [B, M], 1 or True on the policy's own
            tokens, in any positions; elsewhere finite numbers have no influence.
        beta: strength of the KL penalty, > 0.

    Returns:
        0-d tensor: the mean over the pairs of -ln sigmoid(beta (h_chosen - h_rejected)),
        h the sum of ln pi - ln pi_ref, finite for arguments of any size;
        differentiable in the first two arguments.
    """
    ### BEGIN SOLUTION
    chosen = ((chosen_logps - ref_chosen_logps) * chosen_mask).sum(1)
    rejected = ((rejected_logps - ref_rejected_logps) * rejected_mask).sum(1)
    return -torch.nn.functional.logsigmoid(beta * (chosen - rejected)).mean()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_multi_turn_dpo_loss", "points": 1}
check.multi_turn_dpo_loss(multi_turn_dpo_loss)

# %% [markdown]
# ## 8. The race on the grid
#
# A thousand walks, drawn once by other people: half of them aimless, half drifting right and down.
# Walk $i$ is paired with walk $i + 500$; for DPO a label says who won, drawn from Bradley-Terry on
# the returns. You never draw again. The policy is a table of logits, one row per state of the MDP
# (with its clock), and starts at the reference: zeros.

# %% tags=["show"]
data = grid.walks("final", seed=0)
print({name: (tuple(x.shape), x.dtype) for name, x in data.items()})
for kind in grid.KINDS:
    returns = grid.walks(kind, seed=0)["rewards"].sum(1)
    values, counts = returns.unique(return_counts=True)
    shown = ", ".join(f"{v:.0f}: {c}" for v, c in zip(values, counts, strict=True))
    print(f"{kind:6s} returns of the 1000 walks   {shown}")
steps = data["mask"][0]
print("the first walk:", " ".join(grid.ACTIONS[a] for a in data["actions"][0][steps]))

# %% tags=["show"]
predict(
    "DPO's labels are drawn from Bradley-Terry, whose population optimum is pi_* itself "
    "(assignment 09). The regret of the reference is 2.6. DPO's after 1000 steps?",
    ["near 0", "about 1", "well above 2.6: worse than not training"],
    answer=2,
    why="500 labels, and almost no walk occurs twice: DPO can satisfy every label by "
    "driving the walks' log-ratios to infinity, and nothing in the loss stops it. The "
    "population optimum is a statement about infinitely many labels.",
)

# %% [markdown]
# ### Exercise: `train_grid` (2 points, 40 minutes, ★★★)
#
# Train a table of logits on the walks of one seed, and return its regret as it goes.
#
# - `method` is `"shiq"` (`shiq_loss`), `"shiq_one_step"` (the same mean of sums of squares, of
#   `shiq_one_step_residuals`), `"copg"` or `"dpo"` (the losses of section 7; the winner of a pair
#   is walk $i$ if `first_wins[i]`, otherwise walk $i + n/2$). $\gamma = 1$.
# - Step $t$ (from 0) uses the pairs $(tB + j) \bmod n/2$, $j = 0,\dots,B-1$, with
#   $B$ = `batch_size` and $n/2 = 500$. The ShiQ losses take both walks of each pair, as $2B$
#   single ones: every method sees the same walks.
# - Adam with torch's defaults apart from `lr`. Start at zeros.
# - The regret $J(\pi_*) - J(\pi)$ is exact (`grid_soft_optimum`, `evaluate_policy_kl`), taken
#   before the first step and after every `eval_every` steps.
#
# Two right answers agree to many digits, with one exception: at the start most one-step residuals
# are exactly 0, and Adam, which divides each gradient by its own size, turns rounding errors of
# $10^{-16}$ into full steps. The tests follow `"shiq_one_step"` for two steps only.
#
# A run of 1000 steps takes a second or two. If yours takes a minute, look for a loop over walks or
# for the optimum being solved again at each evaluation.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "train_grid"}
def train_grid(
    method: str,
    kind: str,
    seed: int,
    steps: int = 1000,
    lr: float = 0.1,
    batch_size: int = 64,
    beta: float = 1.0,
    eval_every: int = 50,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Train a tabular policy offline on `grid.walks(kind, seed)`; deterministic.

    Args:
        method: "shiq", "shiq_one_step", "copg" or "dpo".
        kind: "final" or "fine".
        seed: of the walks.
        steps: number of Adam steps (betas 0.9 and 0.999, eps 1e-8, no weight decay).
        lr: Adam's learning rate.
        batch_size: pairs per step. Step t uses pairs (t * batch_size + j) % 500 for
            j = 0 .. batch_size - 1; pair i is walks i and i + 500.
        beta: strength of the KL penalty, in the loss and in the regret, > 0.
        eval_every: steps between two evaluations, at least 1.

    Returns:
        (regrets, logits). regrets: [steps // eval_every + 1] float64, the exact regret
        after 0, eval_every, 2 eval_every, ... steps. logits: [S, 4] float64, the table
        after the last step, detached.

    Raises:
        ValueError: if `method` is none of the four, or `kind` neither of the two.
    """
    ### BEGIN SOLUTION
    if method not in ("shiq", "shiq_one_step", "copg", "dpo"):
        raise ValueError(f"unknown method {method!r}")
    mdp, _, best = grid_soft_optimum(kind, beta)
    data = grid.walks(kind, seed)
    half = len(data["states"]) // 2
    ref = torch.full_like(mdp["reward"], 0.25)
    theta = torch.zeros_like(ref, requires_grad=True)
    optimiser = torch.optim.Adam([theta], lr=lr)

    def loss_on(pairs: torch.Tensor) -> torch.Tensor:
        rows = torch.cat([pairs, pairs + half])
        states, actions = data["states"][rows], data["actions"][rows]
        rewards, mask = data["rewards"][rows], data["mask"][rows]
        logits = theta[states]
        if method == "shiq":
            return shiq_loss(
                logits, torch.zeros_like(logits), actions, rewards, mask, beta
            )
        if method == "shiq_one_step":
            residuals = shiq_one_step_residuals(
                logits, torch.zeros_like(logits), actions, rewards, mask, beta
            )
            return (residuals**2).sum(1).mean()
        log_pi = logits.log_softmax(-1).gather(-1, actions[..., None])[..., 0]
        first, second = log_pi.chunk(2)
        mask, mask2 = mask.chunk(2)
        uniform = torch.full_like(first, 0.25).log()
        if method == "copg":
            R, R2 = rewards.sum(1).chunk(2)
            return multi_turn_copg_loss(
                first, second, uniform, uniform, mask, mask2, R, R2, beta
            )
        won = data["first_wins"][pairs][:, None]
        return multi_turn_dpo_loss(
            torch.where(won, first, second),
            torch.where(won, second, first),
            *(uniform, uniform),
            torch.where(won, mask, mask2),
            torch.where(won, mask2, mask),
            beta,
        )

    regrets = []
    for step in range(steps + 1):
        if step % eval_every == 0:
            pi = theta.detach().softmax(-1)
            regrets.append(best - evaluate_policy_kl(mdp, pi, ref, beta)[0])
        if step < steps:
            optimiser.zero_grad()
            loss_on((step * batch_size + torch.arange(batch_size)) % half).backward()
            optimiser.step()
    return torch.stack(regrets), theta.detach()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_train_grid", "points": 2}
check.train_grid(train_grid)

# %% [markdown]
# The figure: regret (log scale) against Adam step, left for the final reward, right for the
# fine-grained reward, four methods each. Both ShiQ curves fall to about 0.02 on the left and 0.1
# to 0.2 on the right; CoPG falls slowly to about 1 on the left and stays near 1 on the right; DPO
# rises above the dotted line, the regret of the reference.

# %% tags=["show"]
RACERS = {
    "shiq": ("ShiQ", "blue", "-"),
    "shiq_one_step": ("ShiQ, one step", "sky", "--"),
    "copg": ("CoPG, multi-turn", "orange", "-"),
    "dpo": ("DPO, multi-turn", "green", "-"),
}
style.use()
fig, axes = plt.subplots(1, 2, layout="constrained", figsize=(9, 3.6), sharey=True)
learnt = {}
print("regret after          0      100      300     1000 steps")
for ax, kind in zip(axes, grid.KINDS, strict=True):
    for method, (name, colour, line) in RACERS.items():
        curve, learnt[method, kind] = train_grid(method, kind, seed=0)
        at = range(0, 1001, 50)
        ax.semilogy(at, curve, line, color=style.COLOURS[colour], label=name)
        row = "".join(f"{curve[t // 50]:9.3f}" for t in (0, 100, 300, 1000))
        print(f"{kind:6s}{method:14s}{row}")
    ax.axhline(float(curve[0]), color="black", ls=":", lw=1)
    ax.set(title=f"{kind} reward", xlabel="Adam step", ylabel="regret (log scale)")
axes[0].legend(fontsize=8)
plt.show()

# %% [markdown]
# The figure: the final-reward grid after 4 moves, with the policy that each method learnt as arrows
# and *its own* regularised value as colour and number. ShiQ's arrows and values look like the
# optimum's of section 5 wherever walks came through; cells that no walk had reached by then (bottom
# right) keep four equal arrows. CoPG's arrows are weaker and its values lower. DPO has turned most
# cells into one or two confident arrows, often wrong ones, and its values are negative: the KL
# penalty eats more than the reward brings.

# %% tags=["show"]
fig, axes = plt.subplots(1, 3, layout="constrained", figsize=(10.5, 3.9))
mdp, _, _ = grid_soft_optimum("final")
uniform = torch.full_like(mdp["reward"], 0.25)
for ax, method in zip(axes, ("shiq", "copg", "dpo"), strict=True):
    policy = learnt[method, "final"].softmax(-1)
    v = evaluate_policy_kl(mdp, policy, uniform, 1.0)
    title = f"{RACERS[method][0]}, after 4 moves"
    widgets_shiq.draw_map(ax, "final", v, policy, t=4, title=title)
plt.show()

# %% [markdown]
# Now the careful reading.
#
# **ShiQ wins on a thousand walks.** One walk gives it up to twelve equations, one per position, and
# it shares what it learns about a state among all walks that come through it. CoPG gets one
# equation per *pair*.
#
# **The advantage is data efficiency, not the end point.** With four times the walks and a smaller
# learning rate CoPG catches up, and on the final-reward grid even overtakes. "ShiQ < CoPG" is a
# sentence about this amount of data.
#
# **Why ShiQ stops at 0.1 to 0.2 on the fine grid:** with the flag there are twice as many states,
# and some that matter were visited rarely or never. No loss learns about what is not in the data.
#
# **One step or many?** The slides praise the multi-step form for passing rewards back faster, and
# at first it does: after 50 steps on the final-reward grid its regret is 0.6, that of the one-step
# form still 1.5. Before step 100 the curves cross, and the one-step form stays ahead: a multi-step
# residual adds up what is wrong at all later positions, so an error near the end disturbs the whole
# walk. "Faster" depends on when you look.
#
# **DPO is worse than no training**, even with honest Bradley-Terry labels. It is the most expensive
# way in this course to memorise five hundred coin tosses.

# %% [markdown]
# ## 9. Where the equation stops being true
#
# All this used that the next state is *known* given the action. For a single completion it is: a
# token is appended. Between the turns of a conversation it is not: a user answers, or a tool, and
# the answer is random. The soft Bellman equation then has an expectation, $q = r + \gamma\,\mathbb
# E[v(s')]$. The squared residual of one *sampled* path has the expectation inside the square,
# $\mathbb E[\delta^2] = (\mathbb E\delta)^2 + \mathrm{Var}(\delta)$, and minimising it also
# minimises the variance: the loss bends the policy to make luck look small. (The classical name is
# the *double-sampling problem*.)
#
# The smallest example: the model may *ask* or *leave* (reward 0). If it asks, the user is happy or
# angry, with probability ½ each. Then the model answers A or B: a happy user pays 2 for A and 0
# for B, an angry one 0 for A and $-2$ for B. Uniform reference, $\beta = 1$. In both moods A is
# better by 2, so the optimal answer is the same: A with probability $\sigma(2) = 0.881$.

# %% tags=["show"]
predict(
    "We minimise the ShiQ loss exactly, with infinite data and full support. Does the "
    "answer to the angry user come out as 0.881 as well?",
    ["yes, exactly", "no, the happy and the angry user get different policies"],
    answer=1,
    why="The residual of 'ask' contains the luck of the mood. The loss lowers it by "
    "moving the log-ratios of the answers: modest with the happy user, eager with the "
    "angry one.",
)

# %% tags=["show"]
answers = torch.tensor([[2.0, 0.0], [0.0, -2.0]], dtype=torch.float64)  # happy, angry
start = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
mood = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)


def exact_loss():
    """Mean ShiQ loss under the uniform policy: ask and answer (4 ways), or leave."""
    rows = [(m, a) for m in range(2) for a in range(2)]
    asked = torch.stack([torch.stack([start[0], mood[m]]) for m, _ in rows])
    acts = torch.tensor([[0, a] for _, a in rows])
    paid = torch.tensor([[0.0, float(answers[m, a])] for m, a in rows]).double()
    ones = torch.ones(4, 2)
    ask = shiq_loss(asked, torch.zeros_like(asked), acts, paid, ones, 1.0)
    left = shiq_loss(
        *(start[None], torch.zeros(1, 1, 2).double(), torch.ones(1, 1).long()),
        *(torch.zeros(1, 1).double(), torch.ones(1, 1), 1.0),
    )
    return (ask + left) / 2


lbfgs = torch.optim.LBFGS(
    [start, mood], max_iter=300, tolerance_grad=1e-11, line_search_fn="strong_wolfe"
)


def closure():
    lbfgs.zero_grad()
    value = exact_loss()
    value.backward()
    return value


lbfgs.step(closure)
uniform2 = torch.full((2, 2), 0.5).double().log()
q_ask = soft_value(answers, uniform2, 1.0).mean()
optimal_ask = torch.sigmoid(q_ask)
print("                      optimal    minimiser of ShiQ")
print(f"P(ask)                {optimal_ask:.4f}     {start[0].softmax(0)[0]:.4f}")
for name, row in (("happy", 0), ("angry", 1)):
    best = answers[row].softmax(0)[0]
    print(f"P(A | {name} user)     {best:.4f}     {mood[row].softmax(0)[0]:.4f}")
print(f"loss at the minimum   {float(exact_loss().detach()):.4f}   (0 without the luck)")

# %% [markdown]
# ## 10. Said correctly (4 points by hand)
#
# Somebody sums up the appendix: *"Given offline data with the support of the reference, the
# minimiser of the ShiQ loss is the solution of the RL problem, in single- and in multi-turn
# settings and for every $\gamma$. The logits are only a parametrisation of the policy. The grid
# shows that ShiQ converges to the optimum and that CoPG and DPO do not."* Correct it, in at most
# 200 words. Say (a) what ShiQ's minimiser assumes about transitions, and what goes wrong otherwise;
# (b) what it converges to for $\gamma<1$; (c) in what sense the logits are more than a
# parametrisation; (d) what the grid does and does not show about CoPG and about DPO.

# %% [markdown] nbgrader={"schema_version": 3, "solution": true, "grade": true, "locked": false, "task": false, "grade_id": "written_shiq", "points": 4}
# **Model answer.** (a) The equation behind the loss holds path by path only if the next state is
# determined by state and action, as it is while tokens are appended. If a user or a tool answers at
# random between turns, the squared residual contains the variance of what follows
# ($\mathbb E\delta^2 = (\mathbb E\delta)^2+\mathrm{Var}\,\delta$, double sampling). The minimiser
# then trades correctness for low variance and is not $\pi_*$, even with infinite data: in section 9
# two moods that deserve the same answer get different ones. (b) For $\gamma<1$ the minimiser is the
# policy of the *discounted* soft Bellman equation, which differs from
# $\pi_\text{ref}e^{R/\beta}/Z$; so methods can be compared at $\gamma=1$ only. (c) The level of the
# logits is the value: $\beta(v_\ell-v_\text{ref})(s)=v(s)$ at the solution. Adding a constant in a
# state leaves the policy and changes the loss, unlike for DPO, CoPG or PPO. (d) It shows that ShiQ
# needs fewer data: a thousand walks, one equation per position, no pairing. With more walks CoPG
# reaches the optimum too; its minimiser is $\pi_*$. DPO ends worse than the reference since 500
# labels on walks that hardly repeat can be fitted by log-ratios without bound; with Bradley-Terry
# labels its population optimum is $\pi_*$ as well.
#
# **Rubric.** 1 point: deterministic transitions, and the variance (or double-sampling) argument
# (half a point without the reason). 1 point: $\gamma<1$ gives the discounted soft optimum, which is
# another policy. 1 point: the level of the logits carries the value, the loss is not invariant to a
# shift per state. 1 point: grid is about data efficiency: CoPG's minimiser is $\pi_*$ and it
# catches up with data (half a point); DPO over-fits finitely many labels, its population optimum
# under Bradley-Terry is $\pi_*$ (half a point).

# %% [markdown]
# ## Where the slides need care
#
# - **The ShiQ loss**: the bracket closes in the wrong place. The square belongs inside the sum over
#   positions (section 6); squaring the sum lets residuals cancel.
# - **The Return** is written $R(x,y)=\sum_t\gamma^{t-1}r$, with the letter of the reward: for
#   $\gamma<1$ and a terminal reward that is $\gamma^{n-1}R$. The two agree at $\gamma = 1$ only.
# - **Monte Carlo returns** are indexed from 0 to $T-1$ on one slide, and tokens from 1 to $|y|$ on
#   another. Here $G_t$ always ends at the last real step.
# - **"$\mathbb E[\delta_t|s_t,a_t] = A_\pi$"** holds for $V=v_\pi$, not for a learnt $V$ (section
#   2).
# - **"Unbiased but higher variance; no one-step bootstrapping"** stands below SARSA and Q-learning.
#   It describes Monte Carlo.
# - **Theorem 1** leaves out $q$ at the end ($v=0$ there) and assumes deterministic transitions.
# - **The change of variable** in the naive loss has $\pi = \exp(\dots)$ under its brace: it should
#   say $\propto$, as the slide before it does.
# - **$v_\ell$ has no $\beta$ inside**, only one in front: right on the slide, easy to get wrong.
# - **The theorem** ("same support") needs deterministic transitions, and its "RL objective" is the
#   one with the same $\gamma$ (section 9 and 4).
# - **Multi-turn DPO and CoPG**: the expectation is over pairs of trajectories, not over
#   $(s_t,a_t)$; $\tau_1$ is the preferred one in DPO; CoPG is in its squared form, to be minimised.
# - **The grid**: no clock, no $\beta$ and no discount are given, and the second map is printed with
#   three rows. Without a clock or a discount the problem is degenerate. If only *right* and *down*
#   were allowed it would be, too: every path would earn 7.
#
# ## What you have learnt
#
# - A completion is an episode; returns spread credit evenly, TD errors put it where it was earned,
#   if the values are right.
# - In conversations only the assistant's tokens are actions; rewards add up over turns.
# - The soft Bellman equation is $\pi_\text{ref}\,e^{R/\beta}/Z$, one token at a time.
# - ShiQ reads values off the level of the logits, and regresses returns on them: off-policy, single
#   trajectories, one network; for deterministic transitions.
# - A regret in a toy can be computed exactly. Do that before believing a curve.
#
# ## Further reading
#
# - Clavier et al., *ShiQ: Bringing back Bellman to LLMs*, 2025 (arXiv 2505.11081).
# - Flet-Berliac et al., *Contrastive Policy Gradient*, 2024 (arXiv 2406.19185): the objective (7)
#   behind the squared form.
# - Rafailov et al., *From r to Q\*: Your language model is secretly a Q-function*, 2024 (arXiv
#   2404.12358): the same reading of logits, for DPO.
# - Sutton and Barto, *Reinforcement Learning: An Introduction*, 2nd edition, 2018: chapter 6 (TD),
#   section 11.5 (double sampling in Bellman residuals).
# - Nachum et al., *Bridging the gap between value and policy based reinforcement learning*, 2017
#   (arXiv 1702.08892): path consistency, the ancestor of the multi-step residual.
#
# **Next:** the project, where DPO, policy gradient and CoPG meet a real model.
