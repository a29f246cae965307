"""A scanner by hand, with unicodedata and no regular expression."""

import unicodedata


def pre_tokenize(text):
    def kind(char):
        if char.isspace():
            return "space"
        return {"L": "letter", "N": "number"}.get(unicodedata.category(char)[0], "sign")

    pieces, i = [], 0
    while i < len(text):
        ending = next((e for e in ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d") if text.startswith(e, i)), None)
        if ending:
            pieces.append(ending)
            i += len(ending)
            continue
        j = i + 1 if text[i] == " " and i + 1 < len(text) else i
        if kind(text[j]) != "space":
            end = j
            while end < len(text) and kind(text[end]) == kind(text[j]):
                end += 1
        else:
            end = i
            while end < len(text) and kind(text[end]) == "space":
                end += 1
            if end < len(text) and end - i > 1:
                end -= 1
        pieces.append(text[i:end])
        i = end
    return pieces
