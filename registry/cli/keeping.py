"""The configured store, by itself: what only keeps files need not wait until all that speaks to a chain is imported."""

import contextlib
from collections.abc import Iterator

from registry.artifacts.hashing import Copies
from registry.content.cid import RAW, Cid
from registry.content.embedded import EmbeddedStore
from registry.content.pinning import PinnedStore, PinningService
from registry.content.several import SeveralStores
from registry.content.store import HasAddresses, Store, open_store
from registry.errors import InvalidSettings
from registry.settings import Settings


def configured_store(settings: Settings, *, in_place: bool = False) -> Store:
    """The configured store, and what pins what it keeps. Raises InvalidSettings."""
    store = open_store(settings.store_location, in_place=in_place)
    if settings.pinning_service is None:
        return store
    service = PinningService(settings.pinning_service, _pinning_token(settings))
    return PinnedStore(store, service, lambda: _node_addresses(store))


def _pinning_token(settings: Settings) -> str | None:
    """The token of the pinning service. Raises InvalidSettings."""
    token, file = settings.pinning_token, settings.pinning_token_file
    if token is not None or file is None:
        return None if token is None else token.get_secret_value()
    try:
        return file.read_text("utf-8").split("\n", 1)[0].strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise InvalidSettings(f"PROVENANCE_PINNING_TOKEN_FILE cannot be read: {reason}.") from None


@contextlib.contextmanager
def copies_into(store: Store, *, wanted: bool = True) -> Iterator[Copies | None]:
    """Where what is hashed in this block is copied as it is read, for a store that can take it so."""
    folder = next((one for one in each_store(store) if isinstance(one, EmbeddedStore)), None)
    if not wanted or folder is None:
        yield None
        return
    with folder.intake() as intake:
        yield None if intake is None else intake.begin


def check_store(store: Store) -> None:
    """Ask a store something, so that one that is down is met before the work is done. Raises StoreUnavailable."""
    store.has_block(Cid(RAW, bytes(32)))


def each_store(store: Store) -> Iterator[Store]:
    """A store, or the several that it is."""
    if isinstance(store, PinnedStore):
        yield from each_store(store.store)
    elif isinstance(store, SeveralStores):
        yield from store.stores
    else:
        yield store


def _node_addresses(store: Store) -> list[str]:
    """Where the Kubo nodes among the stores can be fetched from."""
    return [address for one in each_store(store) if isinstance(one, HasAddresses) for address in one.addresses()]
