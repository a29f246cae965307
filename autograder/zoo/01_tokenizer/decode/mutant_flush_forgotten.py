"""Decodes incrementally and forgets the last incomplete character.

message: U+FFFD
"""

import codecs


def decode(ids, vocab):
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    return "".join(decoder.decode(vocab[i]) for i in ids)
