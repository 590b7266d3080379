"""Lists of names as SQL has identifiers."""

from dumpers.runtime.errors import ConfigurationError


def split_names(variable: str, text: str, *, unquote: bool = True) -> tuple[str, ...]:
    """Split a list at its commas; in double quotes a comma belongs to the name."""
    found, current, quoted = [], "", False
    for letter in text:
        if letter == "," and not quoted:
            found.append(current)
            current = ""
            continue
        quoted ^= letter == '"'
        current += letter
    if quoted:
        raise ConfigurationError(f"{variable} holds an odd number of double quotes")
    items = [item.strip() for item in (*found, current)]
    if text and not all(items):
        raise ConfigurationError(f"{variable} holds an empty name: apart by commas, one each")
    if unquote:
        items = [
            item[1:-1].replace('""', '"') if len(item) > 1 and item[0] == item[-1] == '"' else item
            for item in items
        ]
    return tuple(filter(None, items))
