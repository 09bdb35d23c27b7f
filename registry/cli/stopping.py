"""What runs until it is stopped: Ctrl-C and SIGTERM end it alike, in order."""

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def until_stopped() -> Iterator[None]:
    """Until Ctrl-C or SIGTERM, which end alike: in order and without an error.

    Also where they were inherited as ignored, as a shell does with Ctrl-C for what it starts in the background.
    """

    def stop(*_: object) -> None:
        for number in before:
            signal.signal(number, signal.SIG_IGN)  # what follows is the end, and is not to be cut short
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, stop)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
