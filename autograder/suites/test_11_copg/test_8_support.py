"""Section 8 of 11_copg. A sampler that lacks support."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import F64, oracle, tensor

# --- support_violation_demo ----------------------------------------------------------------------


def settled(y, y2, rewards, ref, beta):
    """Regret of the policy at which CoPG settles; dictionary of mistaken predictions."""
    seen = sorted({int(arm) for arm in torch.cat([y, y2])})
    unseen = [arm for arm in range(len(rewards)) if arm not in seen]
    best = (ref + rewards / beta).log_softmax(0)

    def regret_of(logits):
        log_pi = logits.log_softmax(0)
        return float(beta * (log_pi.exp() @ (log_pi - best)))

    logits = ref.clone()
    average = sum(float(rewards[arm]) for arm in seen) / len(seen)
    for arm in seen:
        logits[arm] += (float(rewards[arm]) - average) / beta
    want = regret_of(logits)

    frozen = ref.exp()
    share = (best[seen]).softmax(0)
    frozen[seen] = share * (1 - float(frozen[unseen].sum()))
    uncentred = ref.clone()
    uncentred[seen] += rewards[seen] / beta
    only_y = ref.clone()
    half = sorted({int(arm) for arm in y})
    only_y[half] += (rewards[half] - rewards[half].mean()) / beta
    dropped = ref.clone()
    dropped[unseen] = -60.0
    dropped[seen] += rewards[seen] / beta
    no_ref = torch.zeros_like(ref)
    no_ref[seen] = (rewards[seen] - rewards[seen].mean()) / beta
    return want, {
        "You predict convergence: nothing in the data moves an unseen arm.": 0.0,
        "You kept the probability of unseen arms: it is their logit that stays.": regret_of(
            frozen.log()
        ),
        "The constant is missing: the sum of the seen logits is conserved.": regret_of(uncentred),
        "An arm is seen if it is in y or in y2.": regret_of(only_y),
        "Unseen arms do not vanish: their logit stays at ref.": regret_of(dropped),
        "The reference is ignored in the plateau.": regret_of(no_ref),
        "You predict that nothing is learnt.": regret_of(ref),
        "You centred by the mean over all arms: only the seen logits move.": regret_of(
            _centred_over_all(ref, rewards, beta, seen)
        ),
    }


def _centred_over_all(ref, rewards, beta, seen):
    logits = ref.clone()
    logits[seen] += (rewards[seen] - rewards.mean()) / beta
    return logits


PLATEAU = (
    "The plateau is the regret of the policy whose unseen arms keep ref and whose seen arms have "
    "ref + R/beta + c, the sum of the seen logits unchanged."
)


def two_parts(got):
    message = "Return two things: the curve and the plateau."
    expect(got).true(isinstance(got, tuple | list) and len(got) == 2, message)
    return got


@exercise("support_violation_demo", weight=2)
def test_the_plateau_is_predicted_not_measured(student: Student, draw: Draw):
    """Arms missing from the data at different places, a non-uniform reference, three steps only."""
    rewards = tensor(2.0, -0.5, 1.2, 0.1) + draw.uniform(-0.2, 0.2, 4)
    ref = (tensor(0.1, 0.4, 0.3, 0.2).log() + draw.uniform(-0.2, 0.2, 4)).log_softmax(0)
    for first, second in (((1, 3, 3), (3, 1, 3)), ((0, 0, 2), (1, 2, 1)), ((2, 2, 3), (1, 1, 1))):
        y, y2 = torch.tensor(first), torch.tensor(second)
        want, mistakes = settled(y, y2, rewards, ref, 0.6)
        _, plateau = two_parts(student.support_violation_demo(y, y2, rewards, ref, 0.6, 3, 0.01, 2))
        expect(plateau).close(want, PLATEAU, mistakes, rtol=1e-8, scale=1.0)


@exercise("support_violation_demo")
def test_full_support_leaves_no_plateau(student: Student, draw: Draw):
    """All arms are in the data, some only in y, some only in y2: the plateau is zero."""
    rewards, ref = draw.normal(3) + tensor(1, 0, -1), draw.probs(3).log()
    y, y2 = torch.tensor([0, 0, 0, 1]), torch.tensor([1, 2, 1, 2])
    _, plateau = two_parts(student.support_violation_demo(y, y2, rewards, ref, 0.5, 3, 0.01, 4))
    expect(plateau).close(
        0.0, "When all arms are seen, CoPG ends at pi_*: the plateau is 0.", rtol=1e-9, scale=1.0
    )


@exercise("support_violation_demo", weight=2)
def test_the_curve_is_copg_on_the_pairs_as_they_are(student: Student, draw: Draw):
    """Twenty steps on pairs of two arms out of three; nothing is added to the data."""
    rewards, ref = tensor(2.5, 2.0, 1.0), tensor(0.2, 0.5, 0.3).log()
    y = torch.tensor(draw.shuffled([1, 2, 2, 2, 1, 2, 2]))
    y2 = torch.tensor(draw.shuffled([2, 2, 1, 2, 2, 1, 1]))
    y[0], y2[0] = 1, 2
    curve, _ = two_parts(student.support_violation_demo(y, y2, rewards, ref, 0.5, 20, 0.03, 3))
    everything = torch.cartesian_prod(torch.arange(3), torch.arange(3)).T
    smooth, smooth2 = (torch.cat([a, b]) for a, b in zip((y, y2), everything, strict=True))
    expect(curve).close(
        oracle("copg", y, y2, rewards, ref, 0.5, 20, 0.03, 3),
        "The curve is that of train_offline_bandit('copg', ...) with all the arguments given.",
        mistakes={
            "You smoothed the data: train on the pairs as they are.": oracle(
                "copg", smooth, smooth2, rewards, ref, 0.5, 20, 0.03, 3
            ),
            "The method is not CoPG.": oracle("pg", y, y2, rewards, ref, 0.5, 20, 0.03, 3),
            "lr is not passed on.": oracle("copg", y, y2, rewards, ref, 0.5, 20, 0.01, 3),
            "batch_size is not passed on.": oracle("copg", y, y2, rewards, ref, 0.5, 20, 0.03, 512),
        },
        rtol=2e-6,
    )


@exercise("support_violation_demo")
def test_minibatches_have_512_pairs_by_default(student: Student, draw: Draw):
    """1100 pairs in blocks of the same arms, thirty steps, batch_size not given."""
    rewards, ref = tensor(2.5, 2.0, 1.0, 0.3), tensor(0.2, 0.4, 0.3, 0.1).log()
    y = torch.tensor([1] * 300 + [2] * 300 + [3] * 300 + [1] * 200)
    y2 = torch.tensor([2] * 200 + [3] * 500 + [1] * 150 + [2] * 250)
    curve, _ = two_parts(student.support_violation_demo(y, y2, rewards, ref, 0.5, 30, 0.03))
    expect(curve).close(
        oracle("copg", y, y2, rewards, ref, 0.5, 30, 0.03, 512),
        "Keep the default batch_size=512 and pass it on to train_offline_bandit.",
        rtol=2e-6,
    )


@exercise("support_violation_demo")
def test_the_curve_ends_on_the_plateau(student: Student, draw: Draw):
    """Arm 0 missing, the paper's samplers otherwise, 1000 steps: the regret stays at 0.226."""
    n = 2000
    y = torch.from_numpy(draw.numpy.choice([1, 2], n, p=[2 / 9, 7 / 9]))
    y2 = torch.from_numpy(draw.numpy.choice([1, 2], n, p=[1 / 19, 18 / 19]))
    ref = torch.full((3,), 1 / 3, dtype=F64).log()
    curve, plateau = two_parts(
        student.support_violation_demo(y, y2, tensor(2.5, 2.0, 1.0), ref, 0.5, batch_size=128)
    )
    shape = "By default the curve has 1000 steps, thus 1001 regrets, float64."
    curve = expect(curve).tensor((1001,), F64, shape)
    message = "Without arm 0 the regret must stay above 0.1, and end on the predicted plateau."
    expect(float(curve[-1])).close(0.2259746551071053, message, rtol=1e-4)
    expect(plateau).close(0.2259746551071053, message, rtol=1e-8)
