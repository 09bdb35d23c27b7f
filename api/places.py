"""Places that clients share: nobody has more than are left free, so that who takes all he can leaves half to others."""

import threading
from collections import Counter


class Places:
    """So many places, of which a client has at most as many as are free."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, client: str) -> bool:
        """A place for a client, unless it has its share."""
        with self._lock:
            if self._taken[client] >= self._free:
                self._taken += Counter()
                return False
            self._free -= 1
            self._taken[client] += 1
            return True

    def give_back(self, client: str) -> None:
        """The end of what a place was taken for."""
        with self._lock:
            self._free += 1
            self._taken[client] -= 1
            self._taken += Counter()  # keeps nobody who has none
