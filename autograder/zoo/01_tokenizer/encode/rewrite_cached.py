"""A cache per pre-token."""


def encode(text, merges):
    rank = {tuple(pair): 256 + k for k, pair in enumerate(merges)}
    cache = {}

    def encode_piece(piece):
        word = tuple(BYTE_TO_ID[b] for b in piece.encode("utf-8"))
        while len(word) > 1:
            new_id, pair = min((rank.get(p, math.inf), p) for p in zip(word, word[1:]))
            if new_id == math.inf:
                break
            word = tuple(merge_pair(list(word), pair, new_id))
        return word

    for piece in pre_tokenize(text):
        if piece not in cache:
            cache[piece] = encode_piece(piece)
    return [i for piece in pre_tokenize(text) for i in cache[piece]]
