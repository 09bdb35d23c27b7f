"""Waiting for what will be so, with a limit that only something broken reaches."""

import time
from collections.abc import Callable


def wait_until(what: Callable[[], bool], seconds: float = 60) -> None:
    """Until this is so. How long it takes says how busy the machine is."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"it is not so after {seconds:.0f} seconds"
        time.sleep(0.02)
