"""Section 2 of 08_sft. From a question and an answer to one row of tokens."""

from autograder.suite import Draw, Student, exercise, expect

# build_sft_example


def example(prompt: list[int], response: list[int], eos: int, max_len: int) -> dict:
    """Token by token: what stands where, and whether it counts."""
    whole = [(i, False) for i in prompt] + [(i, True) for i in [*response, eos]]
    kept = whole[:max_len]
    return {"input_ids": [i for i, _ in kept], "labels": [i if use else -100 for i, use in kept]}


@exercise("build_sft_example", weight=2)
def test_response_and_eos_are_the_labels(student: Student, draw: Draw):
    """Room enough: prompts and responses of several lengths, several EOS ids."""
    for (p, r), eos in zip(((3, 4), (1, 1), (5, 2)), draw.shuffled([0, 1, 4]), strict=True):
        prompt, response = (draw.integers(10, 99, n).tolist() for n in (p, r))
        want = example(prompt, response, eos, 40)
        ids, labels = want["input_ids"], want["labels"]
        expect(student.build_sft_example(prompt, response, eos, 40)).equals(
            want,
            "input_ids are prompt, response, EOS; labels are the same with -100 on the prompt.",
            mistakes={
                "You shifted the labels: they stand at their own position, the loss shifts.":
                    {"input_ids": ids, "labels": [*labels[1:], -100]},
                "The EOS is masked: the model would never learn to stop.":
                    {"input_ids": ids, "labels": [*labels[:-1], -100]},
                "The prompt must not be a label.": {"input_ids": ids, "labels": ids},
                "The EOS is missing at the end.":
                    {"input_ids": ids[:-1], "labels": labels[:-1]},
                "No padding here: that is the business of whoever makes a batch.":
                    {"input_ids": ids + [eos] * (40 - len(ids)),
                     "labels": labels + [-100] * (40 - len(ids))},
            },
        )  # fmt: skip


@exercise("build_sft_example", weight=2)
def test_truncation_takes_from_the_end(student: Student, draw: Draw):
    """Every length from one token to one more than fits."""
    eos = draw.integer(0, 5)
    prompt, response = draw.integers(10, 99, 3).tolist(), draw.integers(10, 99, 4).tolist()
    for max_len in range(1, 10):
        want = example(prompt, response, eos, max_len)
        forced = example(prompt, response[: max(0, max_len - 4)], eos, max_len)
        tail = example(prompt, response, eos, 99)
        expect(student.build_sft_example(prompt, response, eos, max_len)).equals(
            want,
            "Append the EOS first, then cut input_ids and labels to the first max_len tokens; if "
            "only the prompt fits, no label is left.",
            mistakes={
                "You cut off the beginning: the prompt must stay.":
                    {name: row[-max_len:] for name, row in tail.items()},
                "You kept an EOS although the answer was cut: it is not complete.": forced,
                "Only one of the two lists was cut.":
                    {"input_ids": want["input_ids"], "labels": tail["labels"]},
            },
        )  # fmt: skip


@exercise("build_sft_example")
def test_place_and_not_value_decides_what_counts(student: Student, draw: Draw):
    """EOS ids and equal tokens inside prompt and response; a response that ends with the EOS id."""
    eos, a, b = draw.sample(range(50), 3)
    for prompt, response in (([a, eos, b], [b, a]), ([eos], [a, eos]), ([a, b], [eos, a, a])):
        expect(student.build_sft_example(prompt, response, eos, 20)).equals(
            example(prompt, response, eos, 20),
            "The EOS is appended exactly once whatever the response contains, and tokens are "
            "masked by their place, not by their id.",
        )


@exercise("build_sft_example")
def test_empty_prompts_and_empty_responses(student: Student, draw: Draw):
    """Nothing asked, nothing answered, and both."""
    tokens = draw.integers(10, 99, 3).tolist()
    for prompt, response in (([], tokens), (tokens, []), ([], [])):
        expect(student.build_sft_example(prompt, response, 2, 8)).equals(
            example(prompt, response, 2, 8),
            "An empty prompt leaves every token a label; an empty response is the EOS alone.",
        )
