"""Text from outside, such as names of files and branches, as people may be shown it."""


def one_line(text: str) -> str:
    """The text as one line of what can be printed; anything else of it as Python would write it.

    A line feed would begin a line of its own in a log, an escape sequence would move a terminal's
    cursor, and half a surrogate, which is how a name that is no UTF-8 arrives, can't be kept.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
