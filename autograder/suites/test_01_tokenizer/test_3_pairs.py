"""Section 3 of 01_tokenizer. Counting pairs, and merging one."""

from itertools import pairwise

from autograder.suite import Draw, Student, exercise, expect

from .oracles import counted

# count_pairs ------------------------------------------------------------------------------


@exercise("count_pairs", weight=1)
def test_pairs_are_weighted_by_the_frequency_of_the_word(student: Student, draw: Draw):
    """Words that share pairs, each with its own frequency."""
    a, b, c, d = draw.sample(range(300), 4)
    words = {(a, b, c): 5, (c, a, b): 3, (a, b): 11, (b, c, d): draw.integer(20, 40)}
    words = {word: words[word] for word in draw.shuffled(list(words))}
    want = counted(words)
    last = {pair: n for word, n in words.items() for pair in pairwise(word)}
    expect(student.count_pairs(words)).equals(
        want,
        "Every occurrence of a pair counts as often as its word occurs, added over all words.",
        mistakes={
            "You ignored the frequencies of the words.": counted(dict.fromkeys(words, 1)),
            "You kept the count of the last word only instead of adding.": last,
        },
    )
    big, bigger = draw.sample(range(1000, 60_000), 2)
    many = draw.integer(2000, 90_000)
    expect(student.count_pairs({(a, b): 1, (big, bigger, c): many, (bigger, c): 1})).equals(
        {(a, b): 1, (big, bigger): many, (bigger, c): many + 1},
        "Every pair that occurs is counted: one that occurs a single time, one that occurs "
        "very often, and ids of any size.",
    )


@exercise("count_pairs", weight=1)
def test_overlapping_pairs_all_count(student: Student, draw: Draw):
    """Runs of one id, and a pair that occurs twice in a word."""
    a, b = draw.sample(range(300), 2)
    n, m, k = draw.integer(2, 9), draw.integer(10, 19), draw.integer(20, 29)
    words = {(a, a, a): n, (a,) * 6: m, (a, b, a, b): k}
    once = {(a, a): n + m, (a, b): k, (b, a): k}
    expect(student.count_pairs(words)).equals(
        {(a, a): 2 * n + 5 * m, (a, b): 2 * k, (b, a): k},
        "Neighbours are counted at every position, overlapping ones too: a run of three "
        "holds its pair twice.",
        mistakes={
            "You counted without overlap.": {(a, a): n + 3 * m, (a, b): 2 * k, (b, a): k},
            "You counted a pair once per word, not at every position.": once,
        },
    )


@exercise("count_pairs", weight=1)
def test_pairs_live_inside_one_word_and_keep_their_order(student: Student, draw: Draw):
    """Words of one id, words whose ends meet, mirrored pairs; and no words at all."""
    a, b, c = draw.sample(range(300), 3)
    n, m = draw.integer(2, 9), draw.integer(10, 19)
    words = {(a, b): n, (c,): 7, (b, a): m, (a,): 3}
    got = student.count_pairs(words)
    expect(got).equals(
        {(a, b): n, (b, a): m},
        "Pairs are ordered and do not cross the border of two words; a word of one id has none, "
        "and pairs that do not occur are absent.",
        mistakes={
            "You counted across word borders.": counted({(a, b, c, b, a, a): 1}),
            "You treated (a, b) and (b, a) as the same pair.": {tuple(sorted((a, b))): n + m},
        },
    )
    expect(student.count_pairs({})).equals({}, "Without words there are no pairs: return {}.")


# merge_pair -------------------------------------------------------------------------------


@exercise("merge_pair", weight=1)
def test_every_occurrence_is_replaced(student: Student, draw: Draw):
    """The pair at the start, next to itself, in the middle and at the end."""
    a, b, c, d = draw.sample(range(1, 256), 4)
    new = draw.integer(300, 999)
    ids = [a, b, a, b, c, a, b, d, d, a, b]
    expect(student.merge_pair(ids, (a, b), new)).equals(
        [new, new, c, new, d, d, new],
        "Every occurrence becomes the new id, also the one at the end; all other ids stay.",
        mistakes={
            "You stopped after the first occurrence.": [new, *ids[2:]],
            "You lost the last id.": [new, new, c, new, d, d],
        },
        exact=True,
    )
    big, other = draw.sample(range(1000, 9000), 2)
    for pair in ((0, a), (a, 0), (big, other)):
        left, right = pair
        expect(student.merge_pair([left, right, c, left, right], pair, 9999)).equals(
            [9999, c, 9999],
            "Any id may be part of the pair: 0 is an id like the others, and large ids are "
            "compared by value, with ==.",
        )


@exercise("merge_pair", weight=1)
def test_odd_runs_merge_from_the_left(student: Student, draw: Draw):
    """An odd run of one id, merged with itself."""
    a, c = draw.sample(range(1, 256), 2)
    new = draw.integer(300, 999)
    expect(student.merge_pair([c, a, a, a, a, a, c], (a, a), new)).equals(
        [c, new, new, a, c],
        "Merge from left to right without overlap: the odd one out is the last.",
        mistakes={
            "You merged from the right.": [c, a, new, new, c],
            "You let occurrences overlap.": [c, new, new, new, new, c],
        },
    )


@exercise("merge_pair", weight=1)
def test_only_the_pair_itself_is_merged(student: Student, draw: Draw):
    """Members of the pair alone or in the other order; ids whose digits look like the pair."""
    a, b = draw.integer(1, 5), draw.integer(5, 10)
    new = draw.integer(300, 999)
    ids = [b, a, 10 + a, b, a, 10 * b + 3, b, a, b, b, 100 + a, b, a]
    expect(student.merge_pair(ids, (a, b), new)).equals(
        [b, a, 10 + a, b, a, 10 * b + 3, b, new, b, 100 + a, b, a],
        "Only the left id directly followed by the right id is merged. Compare ids, not "
        "their digits.",
    )


@exercise("merge_pair", weight=1)
def test_words_too_short_for_a_pair_and_ids_just_written(student: Student, draw: Draw):
    """No id, one id, and a new id that could form the pair again."""
    a, b = draw.sample(range(1, 256), 2)
    expect(student.merge_pair([], (a, b), 300)).equals([], "An empty word stays empty.")
    expect(student.merge_pair([a], (a, b), 300)).equals([a], "A word of one id stays as it is.")
    expect(student.merge_pair([a, b, b, b], (a, b), a)).equals(
        [a, b, b], "One pass from left to right: an id just written is not merged again."
    )
