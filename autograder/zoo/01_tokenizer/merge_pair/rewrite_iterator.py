"""An iterator with one id held back."""


def merge_pair(ids, pair, new_id):
    out, held = [], []
    for each in ids:
        if held and (held[0], each) == pair:
            out.append(new_id)
            held = []
        else:
            out += held
            held = [each]
    return out + held
