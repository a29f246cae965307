"""Visible checks of 13 · ShiQ: worked numbers, small batches made by hand, and properties."""

from __future__ import annotations

import math

import torch

from sft2rl import grid
from sft2rl.checks import close, equal, fail, passed, raises, visible_check


def _t(*values):
    return torch.tensor(values, dtype=torch.float64)


def _gradient(value, leaf):
    """Gradient of a tensor's sum; a sentence where the graph is missing."""
    if not isinstance(value, torch.Tensor):
        fail(f"expected a torch tensor, received a {type(value).__name__}.")
    if not value.requires_grad:
        fail("The result carries no gradient: something was detached or turned into a number.")
    (grad,) = torch.autograd.grad(value.sum(), leaf, allow_unused=True)
    return torch.zeros_like(leaf) if grad is None else grad


@visible_check
def token_mdp_step(fn):
    """Ends, cuts, prompts with an EOS, and who is asked for a reward when."""
    asked = []

    def reward_fn(prompt, completion):
        asked.append((prompt, completion))
        return 2.5

    equal(
        fn(((7, 0), ()), 3, reward_fn, 0, 3),
        (((7, 0), (3,)), 0.0, False),
        "a first token (the prompt ends with EOS: that ends nothing)",
        mistakes={"take the EOS of the prompt for the end": (((7, 0), (3,)), 2.5, True)},
    )
    equal(asked, [], "calls of reward_fn on an unfinished completion")
    equal(
        fn(((7,), (3,)), 0, reward_fn, 0, 3),
        (((7,), (3, 0)), 2.5, True),
        "the EOS",
        mistakes={"pay one step late": (((7,), (3, 0)), 0.0, False)},
    )
    equal(asked, [((7,), (3, 0))], "what reward_fn was asked: once, about the whole completion")
    equal(
        fn(((7,), (3, 4)), 5, reward_fn, 0, 3),
        (((7,), (3, 4, 5)), 2.5, True),
        "the third token of at most three, no EOS",
        mistakes={
            "pay at EOS only: a completion that is cut off is paid as well": (
                *(((7,), (3, 4, 5)), 0.0),
                True,
            ),
            "end one step late": (((7,), (3, 4, 5)), 0.0, False),
        },
    )
    what = "a step after the end"
    raises(ValueError, fn, ((7,), (3, 0)), 4, reward_fn, 0, 5, what=f"{what} (EOS)")
    raises(ValueError, fn, ((7,), (3, 4, 5)), 4, reward_fn, 0, 3, what=f"{what} (cut off)")
    passed("token_mdp_step")


@visible_check
def discounted_returns(fn):
    """The worked example, padding, gamma = 0 and 1, and the graph."""
    rewards = _t([0.0, 2.0, 0.0, 4.0], [1.0, 3.0, math.nan, 5.0])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    close(
        fn(rewards, mask, 0.5),
        _t([1.5, 3.0, 2.0, 4.0], [2.5, 3.0, 0.0, 0.0]),
        "the worked example, and a row of two real steps",
        mistakes={
            "discount from the beginning of the episode: gamma^(k - t), not gamma^k": _t(
                [1.5, 1.5, 0.5, 0.5], [2.5, 1.5, 0.0, 0.0]
            ),
            "sum what came before instead of what follows": _t(
                [0.0, 2.0, 1.0, 4.5], [1.0, 3.5, 0.0, 0.0]
            ),
        },
    )
    clean = torch.where(mask.bool(), rewards, 0.0)
    close(fn(rewards, mask.bool(), 0.0), clean, "gamma = 0: the rewards themselves")
    want = _t([6.0, 6.0, 4.0, 4.0], [4.0, 3.0, 0.0, 0.0])
    close(fn(rewards, mask.double(), 1.0), want, "gamma = 1: sums")
    leaf = rewards[:1].clone().requires_grad_()
    grad = _gradient(fn(leaf, mask[:1], 0.5), leaf)
    close(grad, _t([1.0, 1.5, 1.75, 1.875]), "the gradient of the sum of the returns")
    passed("discounted_returns")


def _tree():
    """Three states, two actions; next_state holds nonsense where the episode is done."""
    return {
        "reward": _t([0.0, 1.0], [0.0, 4.0], [2.0, 0.0]),
        "next_state": torch.tensor([[1, 2], [2, 0], [1, 2]]),
        "done": torch.tensor([[False, False], [False, True], [True, True]]),
    }


_PI = _t([0.5, 0.5], [0.25, 0.75], [0.5, 0.5])


@visible_check
def v_pi_exact(fn):
    """Three states by hand."""
    close(
        fn(_tree(), _PI),
        _t(2.625, 3.25, 1.0),
        "v2 = 1, v1 = .25 * 1 + .75 * 4, v0 = .5 * v1 + .5 * (1 + v2)",
        mistakes={
            "take the best action: v_pi is an expectation under pi": _t(4.0, 4.0, 2.0),
            "forget the value of the next state": _t(0.5, 3.0, 1.0),
            "average over the actions with equal weights": _t(2.25, 2.5, 1.0),
        },
    )
    passed("v_pi_exact")


@visible_check
def td_errors(fn):
    """The worked example, and two rows with a discount."""
    close(
        fn(
            _t([0.0, 1.0, 0.0]), _t([0.5, 0.8, 0.3, 0.9]), torch.tensor([[False, True, False]]), 1.0
        ),
        _t([0.3, 0.2, 0.6]),
        "the worked example",
        mistakes={
            "bootstrap after the end: that value belongs to the next episode": _t([0.3, 0.5, 0.6]),
            "flip the sign: what I got minus what I expected": _t([-0.3, -0.2, -0.6]),
            "drop V(s_t) after an end": _t([0.3, 1.0, 0.6]),
        },
    )
    r, v = _t([1.0, 2.0], [-1.0, 0.0]), _t([1.0, 2.0, 4.0], [3.0, -2.0, 1.0])
    done = torch.tensor([[False, False], [False, True]])
    close(
        fn(r, v, done, 0.5),
        _t([1.0, 2.0], [-5.0, 2.0]),
        "two rows, gamma = 0.5",
        mistakes={
            "forget gamma": _t([2.0, 4.0], [-6.0, 2.0]),
            "discount the reward as well": _t([0.5, 1.0], [-4.5, 2.0]),
        },
    )
    passed("td_errors")


@visible_check
def turn_mask(fn):
    """A conversation of five turns, one of them empty."""
    roles = ["system", "user", "assistant", "user", "assistant"]
    got = fn(roles, [[5], [6, 7, 0], [8, 0], [], [9, 0]])
    if not isinstance(got, torch.Tensor) or got.dtype != torch.int64:
        fail("turn_mask returns an int64 tensor.")
    equal(
        got.tolist(),
        [0, 0, 0, 0, 1, 1, 1, 1],
        "system, user, assistant, an empty user turn, assistant; 0 is the end-of-turn token",
        mistakes={
            "leave out the end-of-turn token of the assistant": [0, 0, 0, 0, 1, 0, 1, 0],
            "mark the user's end-of-turn token": [0, 0, 0, 1, 1, 1, 1, 1],
            "mark the last turn only": [0, 0, 0, 0, 0, 0, 1, 1],
            "mark everything that is not the user": [1, 0, 0, 0, 1, 1, 1, 1],
        },
    )
    raises(ValueError, fn, ["user"], [[1], [2]], what="two turns and one role")
    passed("turn_mask")


@visible_check
def multi_turn_return(fn):
    """The worked example, and a shorter conversation with padding."""
    rewards = _t([9.0, 0.0, 2.0, 9.0, 1.0, 3.0], [9.0, 5.0, 9.0, 9.0, 9.0, math.nan])
    turns = torch.tensor([[-1, 0, 0, -1, 1, 1], [-1, 0, -1, -1, -1, -1]])
    got = fn(rewards, turns, 2)
    if not isinstance(got, tuple) or len(got) != 2:
        fail("multi_turn_return returns two tensors: (per_turn, total).")
    close(
        got[0],
        _t([2.0, 4.0], [5.0, 0.0]),
        "rewards per turn",
        mistakes={"average within a turn: rewards are summed": _t([1.0, 2.0], [5.0, 0.0])},
    )
    close(
        got[1],
        _t(6.0, 5.0),
        "the whole conversation",
        mistakes={
            "count the last turn only": _t(4.0, 0.0),
            "average over the turns": _t(3.0, 2.5),
        },
    )
    passed("multi_turn_return")


@visible_check
def soft_value(fn):
    """The worked example, both limits, a shift, a large number and an impossible action."""
    q, ref = _t(1.0, 0.0), _t(0.25, 0.75).log()
    close(
        fn(q, ref, 0.5),
        _t(0.47722929639685)[0],
        "q = (1, 0), pi_ref = (.25, .75), beta = .5",
        mistakes={
            "leave out pi_ref": _t(1.0634640055214861)[0],
            "forget the beta outside": _t(0.9544585927937)[0],
            "forget the 1 / beta inside": _t(0.17874002042967)[0],
            "take the maximum": _t(1.0)[0],
        },
    )
    close(fn(q, ref, 1e-6), _t(1.0)[0], "beta -> 0: the maximum", rtol=1e-5)
    close(fn(q, ref, 1e6), _t(0.25)[0], "beta -> infinity: the mean under pi_ref", rtol=1e-5)
    close(fn(q + 1000, ref, 0.5), _t(1000.47722929639685)[0], "1000 added to q")
    rows = fn(torch.stack([q, -q]), torch.stack([ref, _t(-math.inf, 0.0)]), 0.5)
    close(rows, _t(0.47722929639685, 0.0), "two states; in the second, action 0 is impossible")
    passed("soft_value")


@visible_check
def soft_optimal_policy(fn):
    """The worked example, large numbers and an impossible action."""
    q, ref = _t(1.0, 0.0), _t(0.25, 0.75).log()
    close(
        fn(q, ref, 0.5),
        _t(0.7112345942275938, 0.2887654057724062),
        "q = (1, 0), pi_ref = (.25, .75), beta = .5",
        mistakes={
            "leave out pi_ref": _t(0.8807970779778823, 0.1192029220221176),
            "leave out 1 / beta": _t(0.4753668864186717, 0.5246331135813282),
            "multiply by beta": _t(0.3546612443924434, 0.6453387556075566),
        },
        rtol=1e-8,
    )
    rows = fn(
        torch.stack([q + 1000, -q]), torch.stack([ref, _t(-math.inf, 0.0)]), torch.tensor(0.5)
    )
    want = _t([0.7112345942275938, 0.2887654057724062], [0.0, 1.0])
    close(rows, want, "1000 added to q; an impossible action")
    passed("soft_optimal_policy")


@visible_check
def soft_bellman_backup(fn):
    """Three states with and without a discount."""
    tree = _tree()
    arguments = (tree["reward"], tree["next_state"], tree["done"], _PI.log(), 2.0)
    close(
        fn(*arguments),
        _t([3.585710171893, 2.240229013917], [1.240229013917, 4.0], [2.0, 0.0]),
        "three states, beta = 2, gamma = 1",
        mistakes={
            "back up the maximum instead of the soft value": _t([4.0, 3.0], [2.0, 4.0], [2.0, 0.0]),
        },
        rtol=1e-8,
    )
    close(
        fn(*arguments, 0.5),
        _t([1.772010378143, 1.620114506958], [0.620114506958, 4.0], [2.0, 0.0]),
        "the same with gamma = 0.5",
        mistakes={
            "back up the maximum": _t([2.0, 2.0], [1.0, 4.0], [2.0, 0.0]),
            "back up the mean under pi_ref": _t([1.5625, 1.5], [0.5, 4.0], [2.0, 0.0]),
            "forget gamma": _t([3.585710171893, 2.240229013917], [1.240229013917, 4.0], [2.0, 0.0]),
            "multiply the reward by gamma as well": _t(
                [0.844327829881, 0.780929803620], [0.280929803620, 2.0], [1.0, 0.0]
            ),
        },
        rtol=1e-8,
    )
    passed("soft_bellman_backup")


@visible_check
def evaluate_policy_kl(fn):
    """The worked example, and three states with a probability of 0."""
    one = {
        "reward": _t([1.0, 0.0]),
        "next_state": torch.zeros(1, 2, dtype=torch.long),
        "done": torch.ones(1, 2, dtype=torch.bool),
    }
    close(
        fn(one, _t([0.5, 0.5]), _t([0.25, 0.75]), 0.5),
        _t(0.42807948188705475),
        "the worked example",
        mistakes={
            "add the KL divergence": _t(0.5719205181129452),
            "use KL(ref || pi)": _t(0.4345939820294315),
        },
        rtol=1e-8,
    )
    pi = _t([0.9, 0.1], [0.0, 1.0], [0.3, 0.7])
    close(
        fn(_tree(), pi, _PI, 0.5),
        _t(3.442396819887, 3.856158963774, 0.558858560747),
        "three states",
        mistakes={
            "pay the penalty in the first state only": _t(3.575967896416, 4.0, 0.6),
            "leave out the penalty": _t(3.76, 4.0, 0.6),
            "leave out beta": _t(3.124793639774, 3.712317927548, 0.517717121495),
            "use the entropy of pi instead of the KL divergence": _t(
                3.953084701798, 4.0, 0.905432151027
            ),
        },
        rtol=1e-8,
    )
    passed("evaluate_policy_kl")


@visible_check
def grid_soft_optimum(fn):
    """J(pi_*) in both settings, the first move, and the shape of the MDP."""
    wanted = {
        "final": (25, 2.688782571787807, _t(0.1707, 0.3293, 0.1707, 0.3293)),
        "fine": (50, 3.6071640061313035, _t(0.1993, 0.2012, 0.1993, 0.4002)),
    }
    for kind, (number, value, first) in wanted.items():
        got = fn(kind)
        if not isinstance(got, tuple) or len(got) != 3:
            fail("grid_soft_optimum returns three things: (mdp, pi, value).")
        mdp, pi, best = got
        shape = (number * grid.HORIZON, 4)
        for name in ("reward", "next_state", "done"):
            equal(tuple(mdp[name].shape), shape, f'the shape of mdp["{name}"], {kind}')
        equal(tuple(pi.shape), shape, f"the shape of pi, {kind}")
        equal(bool(mdp["done"][-number:].all()), True, "the twelfth move ends every episode")
        close(best, value, f"J(pi_*), {kind}", rtol=1e-8)
        close(pi[0], first, f"the first move from the start, {kind}", rtol=2e-4)
    raises(ValueError, fn, "spiral", what="an unknown kind")
    passed("grid_soft_optimum")


@visible_check
def shiq_bandit_loss(fn):
    """The worked example, its gradient, and the level of the logits."""
    logits, ref = _t(1.0, 0.0, 2.0), _t(0.5, 0.0, 1.0)
    action, R = torch.tensor([0, 2]), _t(2.0, 1.0)
    close(
        fn(logits, ref, action, R, 0.5),
        _t(1.65625)[0],
        "the worked example",
        mistakes={
            "sum instead of averaging": _t(3.3125)[0],
            "leave out the reference, or beta": _t(1.125)[0],
            "use log-probabilities: ShiQ reads the raw logits": _t(2.6067578515986183)[0],
            "multiply the reward by beta": _t(0.28125)[0],
        },
        rtol=1e-8,
    )
    close(fn(logits + 2, ref, action, R, 0.5), _t(0.40625)[0], "2 added to all logits")
    leaf = logits.clone().requires_grad_()
    grad = _gradient(fn(leaf, ref, action, R, 0.5), leaf)
    close(grad, _t(-0.875, 0.0, -0.25), "the gradient in the logits")
    passed("shiq_bandit_loss")


# Two sequences of three and of two steps over three tokens, with nonsense at the padding.
_BATCH = {
    "logits": _t(
        [[1.0, 0.0, -1.0], [0.5, 2.0, 0.0], [0.0, 0.3, 0.1]],
        [[0.0, 1.0, 0.5], [1.0, 1.0, 1.0], [3.0, -3.0, 0.0]],
    ),
    "ref_logits": _t(
        [[0.2, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 0.4]],
        [[1.0, 0.0, 0.0], [0.0, 0.5, 1.0], [0.0, 0.0, 0.0]],
    ),
    "actions": torch.tensor([[0, 1, 2], [2, 0, 1]]),
    "rewards": _t([0.0, 1.0, 2.0], [0.5, 3.0, 7.0]),
    "mask": torch.tensor([[1, 1, 1], [1, 1, 0]]),
}


def _batch(**changes):
    return tuple((_BATCH | changes).values())


@visible_check
def shiq_residuals(fn):
    """The worked example, a padded batch, both promises of the theory, and the graph."""
    logits = torch.tensor([[[math.log(3), 0.0], [0.0, 0.0]]], dtype=torch.float64)
    got = fn(
        *(logits, torch.zeros_like(logits), torch.tensor([[0, 1]])),
        *(_t([0.0, 1.0]), torch.ones(1, 2), 1.0),
    )
    close(got, _t([1 - math.log(3), 1.0]), "the worked example", rtol=1e-8)
    close(
        fn(*_batch(), 0.5, 0.9),
        _t([1.943960714158, 2.180232981367, 2.15], [2.688254178112, 2.5, 0.0]),
        "a padded batch, beta = 0.5, gamma = 0.9",
        mistakes={
            "leave out v_ref": _t(
                [1.359052262221, 1.451222937394, 1.524787782208],
                [1.912531821146, 1.659865164679, 0.0],
            ),
            "leave out the beta in front of the values": _t(
                [1.825066183872, 1.756065169226, 2.155296687370],
                [2.623841699757, 2.290828690987, 0.0],
            ),
            "use raw logits in the log-ratio": _t(
                [1.447605469714, 1.760832187859, 2.155296687370],
                [2.435587521645, 2.290828690987, 0.0],
            ),
            "forget gamma": _t([2.418871124771, 2.394703312630, 2.15], [2.959171309013, 2.5, 0.0]),
            "discount with gamma^k instead of gamma^(k - t)": _t(
                [1.943960714158, 1.919792902017, 1.742506370600],
                [2.688254178112, 2.229082869099, 0.0],
            ),
            "start the sum behind t": _t(
                [2.225066183872, 1.506065169226, 0.005296687370],
                [2.373841699757, -0.209171309013, 0.0],
            ),
            "let the padding into the sum": _t(
                [1.943960714158, 2.180232981367, 2.15], [10.363949235428, 11.028550063685, 0.0]
            ),
        },
        rtol=1e-8,
    )
    nothing = fn(*_batch(logits=_BATCH["ref_logits"], rewards=torch.zeros(2, 3).double()), 0.5)
    if float(nothing.abs().max()) > 1e-12:
        fail("At the reference, without rewards, all residuals are zero. Is v_ref there?")
    leaf = _BATCH["logits"].clone().requires_grad_()
    grad = _gradient(fn(*_batch(logits=leaf), 0.5), leaf)
    want = _t(-0.5, 0.0, 0.0)
    close(
        grad[0, 0],
        want,
        "the gradient of the sum of the residuals in the first logits of the first row",
        mistakes={
            "detach the value": _t(-0.1673795221125891, 0.1223642355273988, 0.045015286585190224),
        },
        rtol=1e-8,
    )
    passed("shiq_residuals")


@visible_check
def shiq_loss(fn):
    """The padded batch of the residuals, and its gradient."""
    leaf = _BATCH["logits"].clone().requires_grad_()
    loss = fn(*_batch(logits=leaf), 0.5, 0.9)
    close(
        loss.detach(),
        _t(13.315804818683)[0],
        "a padded batch, beta = 0.5, gamma = 0.9",
        mistakes={
            "square the sum over t: the square is inside (the slide's bracket)": _t(
                33.141743972830
            )[0],
            "average over all positions": _t(4.438601606228)[0],
            "average over the real positions": _t(5.326321927473)[0],
            "average within each sequence": _t(5.561660816739)[0],
            "sum over the sequences": _t(26.631609637366)[0],
        },
        rtol=1e-8,
    )
    grad = _gradient(loss, leaf)
    close(grad[0, 0], _t(-0.971980357079, 0.0, 0.0), "the gradient at one position", rtol=1e-8)
    want = _t(-2.056476253434, 0.403238126717, 0.403238126717)
    close(grad[1, 1], want, "the gradient at the last position of the short row", rtol=1e-8)
    close(fn(*_batch(), 0.5, 1.0), fn(*_batch(), 0.5), "gamma is 1 unless it is given")
    passed("shiq_loss")


@visible_check
def shiq_one_step_residuals(fn):
    """The padded batch, the telescoping sum, and the gradient through both values."""
    got = fn(*_batch(), 0.5, 0.9)
    close(
        got,
        _t([-0.018248969073, 0.245232981367, 2.15], [0.438254178112, 2.5, 0.0]),
        "a padded batch, beta = 0.5, gamma = 0.9",
        rtol=1e-8,
    )
    first = got[0, 0] + 0.9 * got[0, 1] + 0.81 * got[0, 2]
    close(first, _t(1.943960714158)[0], "their discounted sum: the multi-step residual", rtol=1e-8)
    leaf = _BATCH["logits"].clone().requires_grad_()
    grad = _gradient(fn(*_batch(logits=leaf), 0.5)[:1, :1], leaf)
    share = _BATCH["logits"][0, 1].softmax(-1)
    close(
        grad[0, 1],
        0.5 * share,
        "the gradient of the first residual in the second logits, through v(s_{t+1})",
        rtol=1e-8,
    )
    passed("shiq_one_step_residuals")


# Two pairs of trajectories padded to widths 3 and 2; h = (.8, -.3) and (-.4, .6).
_LOGP, _REF = _t([-1.0, -0.5, 9.0], [-2.0, 0.0, -0.3]), _t([-1.3, -1.0, -1.0], [-1.5, 5.0, -0.5])
_LOGP2, _REF2 = _t([-1.0, 7.0], [-0.6, -0.9]), _t([-0.6, 2.0], [-1.0, -1.1])
_MASK, _MASK2 = torch.tensor([[1, 1, 0], [1, 0, 1]]), torch.tensor([[1, 0], [1, 1]])


@visible_check
def multi_turn_copg_loss(fn):
    """The worked example and a second pair, widths 3 and 2, one mask with a hole."""
    R, R2 = _t(2.0, 0.0), _t(1.0, 1.5)
    leaf = _LOGP.clone().requires_grad_()
    loss = fn(leaf, _LOGP2, _REF, _REF2, _MASK, _MASK2, R, R2, 0.5)
    close(
        loss.detach(),
        _t(0.63125)[0],
        "two pairs: ((.6 - 1)^2 + (-.45 + 1.5)^2) / 2",
        mistakes={
            "add R - R2 to the log-ratios instead of subtracting it": _t(3.18125)[0],
            "sum over the pairs": _t(1.2625)[0],
            "leave out beta": _t(0.2)[0],
            "average over the steps: log-ratios are summed": _t(0.9928125)[0],
            "forget the masks": _t(3.25625)[0],
            "cut both trajectories to the shorter width": _t(0.53125)[0],
        },
        rtol=1e-8,
    )
    grad = _gradient(loss, leaf)
    want = _t([-0.2, -0.2, 0.0], [0.525, 0.0, 0.525])
    close(grad, want, "the gradient: beta (beta Dh - DR) at each own token", rtol=1e-8)
    passed("multi_turn_copg_loss")


@visible_check
def multi_turn_dpo_loss(fn):
    """The same pairs, and a pair far on the wrong side."""
    close(
        fn(_LOGP, _LOGP2, _REF, _REF2, _MASK, _MASK2, 0.5),
        _t(0.690368448242)[0],
        "two pairs, beta Dh = .6 and -.45",
        mistakes={
            "swap winner and loser": _t(0.765368448242)[0],
            "sum over the pairs": _t(1.380736896483)[0],
            "leave out beta": _t(0.752218171035)[0],
            "leave out the reference": _t(0.869477336139)[0],
            "average over the steps: log-ratios are summed": _t(0.662488627225)[0],
            "forget the masks": _t(1.522539972264)[0],
            "cut both trajectories to the shorter width": _t(0.721490215975)[0],
        },
        rtol=1e-8,
    )
    zero, one = torch.zeros(1, 1).double(), torch.ones(1, 1)
    far = fn(zero - 4000, zero, zero, zero, one, one, 0.5)
    close(far, _t(2000.0)[0], "beta Dh = -2000: the loss is finite", rtol=1e-8)
    passed("multi_turn_dpo_loss")


# Regrets after 2, 4 and 6 steps on the walks of seed 1. Only two steps of the one-step form:
# at the start most of its gradients are exactly 0, and Adam amplifies their rounding errors.
_CURVES = {
    ("shiq", "final"): (4.7738443664, 4.7622125601, 4.539084583),
    ("shiq_one_step", "fine"): (4.4454800464,),
    ("copg", "fine"): (4.4048779466, 4.1789005456, 3.9807518118),
    ("dpo", "final"): (5.0795700606, 5.4858800295, 5.8498400782),
}
_START = {"final": 4.7220713552, "fine": 4.4827524847}


@visible_check
def train_grid(fn):
    """Six steps of each method on small minibatches, and one that is unknown."""
    for (method, kind), after in _CURVES.items():
        steps = 2 * len(after)
        got = fn(method, kind, 1, steps=steps, lr=0.3, batch_size=7, beta=0.5, eval_every=2)
        if not isinstance(got, tuple) or len(got) != 2:
            fail("train_grid returns two things: (regrets, logits).")
        regrets, logits = got
        close(
            regrets[:1],
            _t(_START[kind]),
            f"{method}, {kind}: the regret before the first step, at the reference",
            mistakes={"start at the optimum: the table starts at zeros": _t(0.0)},
            rtol=1e-7,
        )
        close(
            regrets,
            _t(_START[kind], *after),
            f"{method}, {kind}: regrets after 0, 2, ... steps (beta = 0.5, minibatches of 7)",
            rtol=1e-6,
        )
        equal(logits.shape[1], 4, "one column of logits per action")
        equal(logits.requires_grad, False, "whether the logits carry a graph")
    raises(ValueError, fn, "ppo", "final", 0, what="an unknown method")
    passed("train_grid")
