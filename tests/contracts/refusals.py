"""The contracts' errors as Brownie words them."""

import brownie


def refuses(error, *arguments):
    """Expects a revert with this error and arguments: numbers, ids as bytes or hex, addresses as hex or accounts."""

    def worded(argument):
        if isinstance(argument, int):
            return str(argument)
        if isinstance(argument, bytes):
            return str(bytes(argument))
        text = str(argument)
        return text.lower() if len(text) == 42 else str(bytes.fromhex(text[2:]))

    return brownie.reverts(f"{error}: {', '.join(map(worded, arguments))}")
