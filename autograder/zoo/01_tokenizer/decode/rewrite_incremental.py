"""An incremental decoder, flushed at the end."""

import codecs


def decode(ids, vocab):
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = "".join(decoder.decode(vocab[i]) for i in ids)
    return text + decoder.decode(b"", final=True)
