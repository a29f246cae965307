r"""Uses \w of re: letters, digits and underscores in one class.

message: are other sets
"""

import re


def pre_tokenize(text):
    return re.findall(r"'(?:s|t|re|ve|m|ll|d)| ?\w+| ?[^\s\w]+|\s+(?!\S)|\s+", text)
