"""Visible checks of 11 · Contrastive policy gradient: worked numbers and properties."""

import math

import torch

from sft2rl.checks import close, equal, fail, passed, raises, visible_check


def _t(*values):
    return torch.tensor(values, dtype=torch.float64)


def _gradient(value, *inputs):
    """Gradients of a 0-d tensor; a sentence where the graph is missing."""
    if not isinstance(value, torch.Tensor):
        fail(f"expected a torch tensor, received a {type(value).__name__}.")
    if value.shape != ():
        fail(f"expected a 0-d tensor, received shape {tuple(value.shape)}. Which mean is missing?")
    if not value.requires_grad:
        fail("The result carries no gradient: something was detached or turned into a number.")
    grads = torch.autograd.grad(value, inputs, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for g, x in zip(grads, inputs, strict=True)]


@visible_check
def importance_weights(fn):
    """Two hand-made completions, one padded, and one that is very long."""
    logp = _t([0.5, 0.2, 0.5], [0.25, 1.0, 1.0]).log()
    mu_logp = _t([0.25, 0.4, 0.25], [0.5, 1.0, 1.0]).log()
    close(
        fn(logp, mu_logp),
        _t(2.0, 0.5),
        "ratios 2, 0.5, 2 and a completion of one token, ratio 0.5",
        mistakes={
            "divide mu by pi: the target policy is on top": _t(0.5, 2.0),
            "average the token ratios: probabilities of tokens multiply": _t(1.5, 2.5 / 3),
            "average the log-ratios (a geometric mean): they add": _t(2 ** (1 / 3), 2 ** (-1 / 3)),
            "clip the weights at 1": _t(1.0, 0.5),
        },
    )
    long = torch.full((1, 2000), -2.0, dtype=torch.float64)
    close(
        fn(long, long - 1e-4),
        _t(math.exp(0.2)),
        "2000 tokens (exp of each sum alone is 0: subtract first)",
        rtol=1e-6,
    )
    leaf = logp.clone().requires_grad_()
    (grad,) = _gradient(fn(leaf, mu_logp).sum(), leaf)
    close(grad, _t([2.0] * 3, [0.5] * 3), "the gradient: dw/dlogp = w for each token")
    passed("importance_weights")


# The bandit of section 1: pi = (.6, .3, .1), mu1, uniform reference, beta = 0.5.
_PI, _MU = _t(0.6, 0.3, 0.1), _t(0.1, 0.2, 0.7)
_REWARDS, _REF = _t(2.5, 2.0, 1.0), torch.full((3,), 1 / 3, dtype=torch.float64).log()


@visible_check
def is_objective(fn):
    """Expectations by enumeration against J(pi) = 2.0997, and a batch."""
    logp, mu_logp = _PI.log(), _MU.log()
    single = [slice(i, i + 1) for i in range(3)]

    def expected(kl):
        values = [fn(logp[i], mu_logp[i], _REF[i], _REWARDS[i], 0.5, kl) for i in single]
        for value in values:
            if not isinstance(value, torch.Tensor) or value.shape != ():
                fail("is_objective returns a 0-d tensor: the mean over the samples.")
        return (_MU * torch.stack(values)).sum()

    want = _t(2.099666718094335)[0]
    kl = (_PI * (logp - _REF)).sum()
    mistakes = {
        "leave the log-ratio without the weight": _t(2.602537199834754)[0],
        "add the KL term instead of subtracting it": _t(2.3003332819056643)[0],
        "leave out the KL term": _t(2.2)[0],
    }
    what = "the average over y ~ mu1 of the estimate from one sample"
    ratio = "normalise by the sum of the weights: the unbiased mean divides by N"
    every = mistakes | {ratio: _t(1.7525371998347543)[0]}
    close(expected(None), want, what + ", without kl", every, rtol=1e-7)
    every = mistakes | {ratio: _t(1.249666718094335)[0]}
    close(expected(kl), want, what + ", with the exact kl", every, rtol=1e-7)

    leaf = logp.clone().requires_grad_()
    (grad,) = _gradient(fn(leaf, mu_logp, _REF, _REWARDS, 0.5), leaf)
    w = _PI / _MU
    regularised = _REWARDS - 0.5 * (logp - _REF)
    close(
        grad,
        w * (regularised - 0.5) / 3,
        "the gradient in logp of a batch of three",
        mistakes={
            "detach the weight": -0.5 * w / 3,
            "detach R_beta": w * regularised / 3,
        },
    )
    passed("is_objective")


@visible_check
def is_gradient_surrogate(fn):
    """The gradient of a batch of three, with and without a baseline."""
    w = _PI / _MU
    regularised = _REWARDS - 0.5 * (_PI.log() - _REF)
    for baseline in (0.0, 2.0, _t(1.0, 0.0, -1.0)):
        leaf = _PI.log().requires_grad_()
        value = fn(leaf, _MU.log(), _REF, _REWARDS, 0.5, baseline)
        (grad,) = _gradient(value, leaf)
        advantage = regularised - baseline
        close(
            grad,
            w * advantage / 3,
            f"the gradient in logp, baseline {baseline}",
            mistakes={
                "minimise: the surrogate is to be maximised": -w * advantage / 3,
                "leave out the weight": advantage / 3,
                "sum instead of averaging": w * advantage,
                "count the gradient twice: w is attached and logp is there as well": w
                * advantage
                * (1 + leaf.detach())
                / 3,
                "leave R_beta attached": w * (advantage - 0.5 * leaf.detach()) / 3,
            },
        )
    passed("is_gradient_surrogate")


@visible_check
def effective_sample_size(fn):
    """The three examples of the text, and the scale of the weights."""
    close(fn(torch.ones(4, dtype=torch.float64)), _t(4.0)[0], "four equal weights")
    close(fn(_t(1.0, 0.0, 0.0, 0.0)), _t(1.0)[0], "one weight has everything")
    w = _t(6.0, 1.5, 0.25, 0.25)
    close(
        fn(w),
        _t(64 / 38.375)[0],
        "weights 6, 1.5, 0.25, 0.25",
        mistakes={
            "divide by N: that is the fraction ESS/N": _t(16 / 38.375)[0],
            "forget the numerator": _t(1 / 38.375)[0],
        },
    )
    close(fn(100 * w), _t(64 / 38.375)[0], "the same weights times 100")
    passed("effective_sample_size")


@visible_check
def is_variance(fn):
    """The bandit of section 1, the variance without weights, and the two corner cases."""
    close(
        fn(_PI, _MU, _REWARDS),
        _t(19.474285714285713)[0],
        "f = R, mu1",
        mistakes={
            "forget to subtract the squared mean": _t(24.314285714285713)[0],
            "take the expectation of (w f)^2 under pi: the samples come from mu": _t(
                132.8620408163265
            )[0],
            "leave out the weight": _t(0.3025)[0],
        },
        rtol=1e-9,
    )
    plain = (_PI * _REWARDS**2).sum() - (_PI * _REWARDS).sum() ** 2
    close(fn(_PI, _PI, _REWARDS), plain, "mu = pi: the ordinary variance of R")
    close(
        fn(_t(0.5, 0.5, 0.0), _t(0.5, 0.5, 0.0), _t(1.0, 3.0, 7.0)),
        _t(1.0)[0],
        "an action with mu = pi = 0 contributes nothing",
    )
    close(
        fn(_PI, _t(0.0, 0.5, 0.5), _REWARDS),
        _t(math.inf)[0],
        "an action with mu = 0 < pi",
        mistakes={"leave the unseen action out: report the limit, inf": _t(0.25)[0]},
    )
    passed("is_variance")


@visible_check
def copg_objective(fn):
    """The worked number, symmetry, a shift of the rewards, and the gradient."""
    logp, ref = _t(-0.6, -1.0, -2.0), _t(-1.0, -0.5, -2.0)
    logp2, ref2 = _t(-1.2, -0.2, -0.7), _t(-1.0, -0.9, -1.0)
    R, R2 = _t(2.5, 0.0, -1.0), _t(1.0, 1.0, -1.0)
    want = _t(0.81, 0.84, -0.0225)
    close(
        fn(logp, logp2, ref, ref2, R, R2, 0.5),
        want,
        "three pairs; the first is the worked example",
        mistakes={
            "return a loss: the objective is to be maximised": -want,
            "use beta where the objective has beta / 2": _t(0.72, 0.48, -0.045),
            "forget beta * (ln pi - ln ref) inside R_beta": _t(0.9, 1.2, 0.0),
        },
    )
    close(fn(logp2, logp, ref2, ref, R2, R, 0.5), want, "the two completions swapped")
    close(
        fn(logp, logp2, ref, ref2, R + 10, R2 + 10, 0.5),
        want,
        "10 added to both rewards",
        rtol=1e-8,
    )
    first, second = logp.clone().requires_grad_(), logp2.clone().requires_grad_()
    value = fn(first, second, ref, ref2, R, R2, 0.5).sum()
    grad, grad2 = _gradient(value, first, second)
    slope = _t(1.2, -0.4, 0.15)
    close(
        grad,
        slope,
        "the gradient in logp: R_beta(y) - R_beta(y'), with beta, not beta / 2",
        mistakes={
            "detach R_{beta/2}: nothing is detached here": _t(1.35, -0.7, 0.075),
            "use R_beta in the objective": _t(0.9, 0.2, 0.3),
        },
    )
    close(grad2, -slope, "the gradient in logp2")
    passed("copg_objective")


@visible_check
def copg_loss(fn):
    """A mean over the pairs, minus the objective, and its gradient."""
    logp, ref = _t(-0.6, -1.0), _t(-1.0, -0.5)
    logp2, ref2 = _t(-1.2, -0.2), _t(-1.0, -0.9)
    R, R2 = _t(2.5, 0.0), _t(1.0, 1.0)
    first, second = logp.clone().requires_grad_(), logp2.clone().requires_grad_()
    loss = fn(first, second, ref, ref2, R, R2, 0.5)
    grad, grad2 = _gradient(loss, first, second)
    close(
        loss.detach(),
        _t(-0.825)[0],
        "two pairs, objectives 0.81 and 0.84",
        mistakes={
            "forget the minus sign: an optimiser would minimise the objective": _t(0.825)[0],
            "sum over the pairs instead of averaging": _t(-1.65)[0],
            "use beta for beta / 2": _t(-0.6)[0],
        },
    )
    close(
        grad,
        _t(-0.6, 0.2),
        "its gradient in logp: -(R_beta(y) - R_beta(y')) / n",
        mistakes={"detach R_{beta/2}: nothing is detached": _t(-0.675, 0.35)},
    )
    close(grad2, _t(0.6, -0.2), "its gradient in logp2")
    passed("copg_loss")


@visible_check
def copg_gradient_exact(fn):
    """Zero at the optimum, and one generic policy with two different samplers."""
    R, ref, beta = _t(2.0, 0.5, -1.0), _t(0.5, 0.3, 0.2).log(), 0.4
    mu1, mu2 = _t(0.1, 0.2, 0.7), _t(0.6, 0.3, 0.1)
    got = fn(_t(0.0, 1.0, 0.5), R, ref, beta, mu1, mu2)
    close(
        got,
        _t(1.849251543308314, 0.020653252519991446, -1.8699047958283055),
        "a generic policy, mu1 and mu2 far apart",
        mistakes={
            "centre each side by its own mean: it is the mean of the other sampler": _t(
                0.8845131679587354, -0.17229442254992416, -0.7122187454088112
            ),
            "leave out the second term (mu2)": _t(
                0.4583023624806659, 0.7539662301509995, -1.2122685926316654
            ),
            "weight the arms by pi: the samplers are mu1 and mu2": _t(
                0.8054480682150342, 0.05783083223586626, -0.8632789004509205
            ),
            "use R_{beta/2}: the gradient has R_beta": _t(
                1.6821257716541567, 0.07032662625999592, -1.7524523979141526
            ),
            "return the gradient of the loss: asked is the ascent direction": _t(
                -1.849251543308314, -0.020653252519991446, 1.8699047958283055
            ),
        },
        rtol=1e-8,
    )
    zero = fn(ref + R / beta, R, ref, beta, mu1, mu2)
    if float(zero.abs().max()) > 1e-12:
        fail("At the optimal policy R_beta is the same for all arms, so the gradient is zero.")
    passed("copg_gradient_exact")


@visible_check
def copg_equals_rloo_factor(fn):
    """One pair: both gradients by hand, and their ratio."""
    theta, R, ref = _t(0.0, 0.0, 0.0), _t(2.5, 2.0, 1.0), _t(0.5, 0.25, 0.25).log()
    got = fn(theta, 0, 2, R, ref, 0.5)
    if not isinstance(got, tuple) or len(got) != 3:
        fail("copg_equals_rloo_factor returns three things: g_copg, g_rloo and the factor.")
    g_copg, g_rloo, factor = got
    advantage = 1.5 + 0.5 * math.log(2)
    close(g_copg.detach(), _t(advantage, 0.0, -advantage), "CoPG, uniform policy, arms 0 and 2")
    close(
        g_rloo.detach(),
        _t(advantage / 2, 0.0, -advantage / 2),
        "RLOO with its 1/K, K = 2",
        mistakes={
            "leave out the 1/K": _t(advantage, 0.0, -advantage),
            "subtract the group mean instead of the other sample": _t(
                advantage / 4, 0.0, -advantage / 4
            ),
        },
    )
    equal(isinstance(factor, float), True, "the factor is a Python float")
    close(
        factor,
        2.0,
        "the factor",
        mistakes={"divide the wrong way round": 0.5, "believe the slide's 'CoPG = RLOO'": 1.0},
        rtol=1e-9,
    )
    passed("copg_equals_rloo_factor")


# Five pairs of three arms, one of them a tie; labels that do not always follow the rewards.
_PAIRS = {
    "y": torch.tensor([0, 2, 1, 2, 2]),
    "y2": torch.tensor([2, 1, 1, 0, 2]),
    "R": _t(2.0, 0.5, -1.0),
    "ref": _t(0.5, 0.3, 0.2).log(),
    "beta": 0.4,
    "steps": 5,
    "lr": 0.2,
    "batch_size": 3,
}
_LABELS = torch.tensor([True, False, True, True, False])
_START = 0.7784331881

# Regrets after steps 1 to 5: the right ones, then those of typical mistakes.
_CURVES = {
    "copg": (0.6451015285, 0.5382619271, 0.4675112744, 0.4212981671, 0.3828416351),
    "pg": (0.6451015299, 0.5378137051, 0.4716296111, 0.4221951224, 0.3900303878),
    "pg_value": (0.5790319092, 0.461648313, 0.35769455, 0.2831063876, 0.2223556703),
    "pg_value_beta": (0.5790319092, 0.4616035839, 0.3579960579, 0.2836325998, 0.2234094989),
    "dpo": (0.6451015406, 0.5925782768, 0.6344049677, 0.6494322856, 0.7071506706),
    "ipo": (0.645101529, 0.6367988419, 0.7097190897, 0.7514886598, 0.8294111587),
}
_MISTAKES = {
    "copg": {
        "detach R_{beta/2}": (
            *(0.6451015285, 0.5385465185, 0.4679620164),
            *(0.4220144295, 0.3834206236),
        ),
        "use R_beta in the objective instead of R_{beta/2}": (
            *(0.6451015285, 0.5377151204, 0.4661714545),
            *(0.4180022312, 0.3787908491),
        ),
        "minimise the objective": (
            *(0.9590010553, 1.182776009, 1.439968151),
            *(1.723045032, 2.004604199),
        ),
        "take a shorter minibatch at the end of the data: the indices go on modulo n": (
            *(0.6451015285, 0.5362927647, 0.4624677022),
            *(0.400404963, 0.3586206836),
        ),
        "use the first minibatch at every step": (
            *(0.6451015285, 0.5514862351, 0.4880544955),
            *(0.4458797586, 0.4177079521),
        ),
        "use plain gradient descent instead of Adam": (
            *(0.5981945752, 0.3687621317, 0.2991325791),
            *(0.2495880064, 0.2041852964),
        ),
    },
    "pg": {
        "leave the KL term out of the reward": (
            *(0.6451015299, 0.5443535586, 0.4817198788),
            *(0.4372744803, 0.4091491604),
        ),
        "leave R_beta attached": (
            *(0.6451016554, 0.5311710726, 0.490242554),
            *(0.4739451607, 0.4860494),
        ),
        "update on the first arm of each pair only": (
            *(0.645101508, 0.4963426671, 0.4139336482),
            *(0.33838247, 0.2938497804),
        ),
    },
    "pg_value": {
        "use R_beta in the baseline: that is pg_value_beta": _CURVES["pg_value_beta"],
        "average the rewards of the minibatch: the baseline is an expectation under pi": (
            *(0.6451015287, 0.5319721142, 0.4569572343),
            *(0.4043516393, 0.3718180761),
        ),
    },
    "pg_value_beta": {"use R in the baseline: that is pg_value": _CURVES["pg_value"]},
    "dpo": {
        "take the first arm as the winner of every pair": (
            *(0.6509602762, 0.6382465923, 0.703225227),
            *(0.7215697672, 0.8000505657),
        ),
        "decide the winner by the rewards: the labels are data": (
            *(0.6451015406, 0.5381121962, 0.467506629),
            *(0.4222044475, 0.385436059),
        ),
        "forget beta inside the sigmoid": (
            *(0.645101533, 0.6146776966, 0.673688475),
            *(0.7036676991, 0.7743271177),
        ),
    },
    "ipo": {
        "use the margin 1/2: it is 1/(2 beta)": (
            *(0.6451015305, 0.6962989273, 0.7920560183),
            *(0.8465012245, 0.9221535441),
        ),
        "use the margin 1/beta: it is 1/(2 beta)": (
            *(0.6451015285, 0.6076237272, 0.661742455),
            *(0.687433339, 0.7548454114),
        ),
        "decide the winner by the rewards: the labels are data": (
            *(0.645101529, 0.5371221107, 0.4680881985),
            *(0.4261861091, 0.4036393073),
        ),
    },
}


@visible_check
def train_offline_bandit(fn):
    """Five steps on five pairs, for each method; the last minibatches wrap around."""
    for method, curve in _CURVES.items():
        got = fn(method, first_wins=_LABELS, **_PAIRS)
        if isinstance(got, torch.Tensor) and got.shape == (6,):
            start = "the regret before the first step (the policy starts at the reference)"
            zero = {"start at zero logits: begin at `ref`": _t(1.256529326)}
            close(got[:1].detach(), _t(_START), start, zero, rtol=1e-7)
        mistakes = {key: _t(_START, *value) for key, value in _MISTAKES[method].items()}
        close(got, _t(_START, *curve), f"method {method!r}, 5 steps", mistakes, rtol=1e-6)
    raises(
        ValueError,
        lambda: fn("ppo", first_wins=_LABELS, **_PAIRS),
        what="a method that is none of the six",
    )
    passed("train_offline_bandit")


@visible_check
def support_violation_demo(fn):
    """Arm 0 missing from a few pairs: the curve is CoPG's, the plateau is predicted."""
    y, y2 = torch.tensor([1, 2, 1, 2]), torch.tensor([2, 2, 2, 1])
    rewards, ref = _t(2.5, 2.0, 1.0), torch.full((3,), 1 / 3, dtype=torch.float64).log()
    got = fn(y, y2, rewards, ref, 0.5, 300, 2e-2, 2)
    if not isinstance(got, tuple) or len(got) != 2:
        fail("support_violation_demo returns two things: the curve and the plateau.")
    curve, plateau = got
    equal(isinstance(plateau, float), True, "the plateau is a Python float")
    close(
        plateau,
        0.2259746551071053,
        "the predicted plateau, arm 0 unseen",
        mistakes={
            "let unseen arms reach their optimum: nothing moves them there": 0.0,
            "keep the probability of the unseen arm: its logit stays": 0.1472730205556958,
        },
        rtol=1e-8,
    )
    if not isinstance(curve, torch.Tensor) or curve.shape != (301,):
        fail("curve holds steps + 1 regrets, from train_offline_bandit with the given arguments.")
    close(float(curve[-1]), plateau, "the end of the curve lies on the plateau", rtol=1e-3)
    passed("support_violation_demo")
