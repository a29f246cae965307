"""One verbose pattern with named parts and finditer."""

PARTS = regex.compile(
    r"""
    (?P<contraction> '(?:[stmd]|re|ve|ll) )
  | (?P<word> [ ]?\p{Letter}+ )
  | (?P<number> [ ]?\p{Number}+ )
  | (?P<sign> [ ]?[^\s\p{Letter}\p{Number}]+ )
  | (?P<run> \s+(?!\S) )
  | (?P<space> \s+ )
    """,
    regex.VERBOSE,
)


def pre_tokenize(text: str) -> list[str]:
    return [match.group() for match in PARTS.finditer(text)]
