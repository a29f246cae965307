"""Section 1 of 13_shiq. A sentence is an episode: the token MDP."""

from autograder.suite import Draw, Student, exercise, expect

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
