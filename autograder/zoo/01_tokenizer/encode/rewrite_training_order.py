"""Applies every merge once, in the order of training."""


def encode(text, merges):
    words = [[BYTE_TO_ID[b] for b in piece.encode("utf-8")] for piece in pre_tokenize(text)]
    for k, pair in enumerate(merges):
        words = [merge_pair(word, pair, 256 + k) for word in words]
    return [i for word in words for i in word]
