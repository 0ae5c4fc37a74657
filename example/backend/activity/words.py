import re

WORD = re.compile(r"\w+(?:['’-]\w+)*")  # noqa: RUF001 - people type both apostrophes


def count_words(text: str) -> int:
    """Count the words of a text in any script that puts something between them."""
    return len(WORD.findall(text))
