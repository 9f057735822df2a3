"""What people wrote into the registry, made safe to show on a terminal."""


def shown(value: object) -> str:
    """The value as text in which nothing moves the cursor, sets a colour or turns the direction of writing."""
    text = "" if value is None else str(value)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
