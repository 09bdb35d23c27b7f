"""The contract's errors as Brownie words them."""

import brownie


def refuses(error, *arguments):
    """Expects a revert with this error and these arguments: ids as bytes or hex, addresses as hex."""

    def worded(argument):
        text = argument if isinstance(argument, str) else "0x" + bytes(argument).hex()
        return text.lower() if len(text) == 42 else str(bytes.fromhex(text[2:]))

    return brownie.reverts(f"{error}: {', '.join(map(worded, arguments))}")
