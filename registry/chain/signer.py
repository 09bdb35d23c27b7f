"""The key that acts: from an encrypted keystore or from hex; it signs, and never shows itself."""

import json
from pathlib import Path
from typing import Any, Final

from registry.chain.foreign import Account, LocalAccount
from registry.errors import InvalidKey, NoKey, WrongPassword

_LARGEST_KEYSTORE: Final = 1 << 20


class Signer:
    """An account that can sign transactions. Its key is in no representation of it, and it cannot be pickled."""

    __slots__ = ("_account", "address")

    def __init__(self, account: LocalAccount) -> None:
        self._account = account
        self.address: str = account.address

    def sign_transaction(self, transaction: dict[str, Any]) -> tuple[bytes, bytes]:
        """The signed bytes of a transaction, and its hash."""
        signed = self._account.sign_transaction(transaction)
        return bytes(signed.raw_transaction), bytes(signed.hash)

    def __repr__(self) -> str:
        return f"Signer({self.address})"

    def __reduce__(self) -> Any:
        raise TypeError("a Signer holds a private key and is not pickled")


def load_signer(
    *, keystore: Path | None = None, password_file: Path | None = None, private_key: str | None = None
) -> Signer:
    """The configured key; a keystore wins over a bare key.

    Raises `NoKey`, `InvalidKey` or `WrongPassword`; no message and no cause holds any part of a key or password.
    """
    if keystore is not None:
        return _from_keystore(keystore, password_file)
    if private_key is not None:
        return signer_from_key(private_key)
    raise NoKey(
        "This needs a key, and none is configured. Set PROVENANCE_KEYSTORE and PROVENANCE_PASSWORD_FILE, "
        "or PROVENANCE_PRIVATE_KEY."
    )


def signer_from_key(private_key: str) -> Signer:
    """A signer of a private key in hex, with or without 0x. Raises `InvalidKey`."""
    try:
        raw = bytes.fromhex(private_key.strip().removeprefix("0x"))
        if len(raw) != 32:
            raise ValueError
        account: LocalAccount = Account.from_key(raw)
    except Exception:  # noqa: BLE001 - whatever the library raises may quote the key
        raise InvalidKey(
            "The private key cannot be used: it must be 64 hexadecimal characters, as secp256k1 takes them."
        ) from None
    return Signer(account)


def _from_keystore(keystore: Path, password_file: Path | None) -> Signer:
    if password_file is None:
        raise NoKey(
            f"The keystore {keystore} needs its password. Set PROVENANCE_PASSWORD_FILE to a file that holds it."
        )
    document = _read_keystore(keystore)
    try:
        password = password_file.read_text(encoding="utf-8").split("\n", 1)[0].removesuffix("\r")
    except (OSError, UnicodeDecodeError):
        raise NoKey(f"The password file {password_file} cannot be read.") from None
    try:
        key = bytes(Account.decrypt(document, password))
    except ValueError as error:
        if "mac" in str(error).lower():
            raise WrongPassword(
                f"The password in {password_file} does not open the keystore {keystore}. Only its first line counts."
            ) from None
        raise InvalidKey(f"The keystore {keystore} is not an encrypted keystore of version 3.") from None
    except Exception:  # noqa: BLE001 - the library raises KeyError, TypeError and others on malformed files
        raise InvalidKey(f"The keystore {keystore} is not an encrypted keystore of version 3.") from None
    return signer_from_key(key.hex())


def _read_keystore(keystore: Path) -> dict[str, Any]:
    try:
        if keystore.stat().st_size > _LARGEST_KEYSTORE:
            raise InvalidKey(f"The keystore {keystore} is too large to be one.")
        document = json.loads(keystore.read_text(encoding="utf-8"))
    except OSError as error:
        raise NoKey(f"The keystore {keystore} cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError):
        raise InvalidKey(f"The keystore {keystore} is not JSON.") from None
    if not isinstance(document, dict):
        raise InvalidKey(f"The keystore {keystore} is not an encrypted keystore of version 3.")
    return document
