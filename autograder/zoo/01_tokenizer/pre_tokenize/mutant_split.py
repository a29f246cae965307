"""Splits at white space and loses it.

message: split at white space and lost it
"""


def pre_tokenize(text):
    return text.split()
