"""Merges from the left as soon as it can.

message: merged from the left
"""


def encode(text, merges):
    rank = {pair: k for k, pair in enumerate(merges)}
    ids = []
    for piece in pre_tokenize(text):
        stack = []
        for b in piece.encode("utf-8"):
            stack.append(BYTE_TO_ID[b])
            while len(stack) > 1 and (stack[-2], stack[-1]) in rank:
                right, left = stack.pop(), stack.pop()
                stack.append(256 + rank[left, right])
        ids += stack
    return ids
