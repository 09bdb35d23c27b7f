"""What the fixture `serve` takes and gives: answers by path, and the address of a server that gives them."""

from collections.abc import Callable

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""

Serve = Callable[[Callable[[str], Answer]], str]
