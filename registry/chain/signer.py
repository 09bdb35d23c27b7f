"""The key that acts: from a keystore, from hex, or behind a node or signer; it signs, and never shows itself.

`Signer` is all that acting needs of a key, so that a hardware wallet or a cloud key is one more adapter.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from registry.chain.identifiers import parse_address
from registry.chain.keccak import keccak
from registry.chain.rpc import Rpc
from registry.errors import InvalidIdentifier, InvalidKey, NoKey, RpcUnavailable, WrongPassword

if TYPE_CHECKING:  # eth-account takes most of a second to import, and is when a key is used: most commands use none
    from registry.chain.foreign import LocalAccount

NO_KEY: Final = (
    "This needs a key, and none is configured. Set PROVENANCE_KEYSTORE and PROVENANCE_PASSWORD_FILE; or "
    "PROVENANCE_PRIVATE_KEY; or PROVENANCE_SIGNER_URL to a node or signer that holds it."
)
_LARGEST_KEYSTORE: Final = 1 << 20


class Signer(Protocol):
    """An account that can sign. `address` is in EIP-55 form."""

    @property
    def address(self) -> str:
        """Whose signatures these are."""

    def sign_transaction(self, transaction: dict[str, Any]) -> tuple[bytes, bytes]:
        """The signed bytes of a transaction (EIP-1559), and its hash."""

    def sign_typed_data(self, data: dict[str, Any]) -> bytes:
        """The signature of typed data in the JSON form of `eth_signTypedData_v4` (EIP-712): r, s, v in 65 bytes."""


class LocalSigner:
    """A key in this process. It is in no representation of it, and it cannot be pickled."""

    __slots__ = ("_account", "address")

    def __init__(self, account: "LocalAccount") -> None:
        self._account = account
        self.address: str = account.address

    def sign_transaction(self, transaction: dict[str, Any]) -> tuple[bytes, bytes]:
        """The signed bytes of a transaction, and its hash."""
        signed = self._account.sign_transaction(transaction)
        return bytes(signed.raw_transaction), bytes(signed.hash)

    def sign_typed_data(self, data: dict[str, Any]) -> bytes:
        """See `Signer`."""
        from registry.chain.foreign import encode_typed_data

        return bytes(self._account.sign_message(encode_typed_data(full_message=data)).signature)

    def __repr__(self) -> str:
        return f"LocalSigner({self.address})"

    def __reduce__(self) -> Any:
        raise TypeError("a LocalSigner holds a private key and is not pickled")


class RemoteSigner:
    """A key that a node or signer holds, by JSON-RPC: `eth_signTransaction` and `eth_signTypedData_v4`.

    What comes back is checked: a signature is only taken if it is the account's own of exactly what was asked.
    """

    def __init__(self, rpc: Rpc, address: str) -> None:
        self._rpc = rpc
        self.address: str = address

    def sign_transaction(self, transaction: dict[str, Any]) -> tuple[bytes, bytes]:
        """See `Signer`."""
        from registry.chain.foreign import Account, HexBytes, TypedTransaction

        asked = {name: _rpc_form(value) for name, value in transaction.items()} | {"from": self.address}
        answer = self._rpc.request("eth_signTransaction", [asked])
        raw = self._bytes(
            "eth_signTransaction", answer["raw"] if isinstance(answer, dict) and "raw" in answer else answer
        )
        try:
            signed_by = Account.recover_transaction(raw)
            signed = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        except Exception as error:
            raise self._unreadable("eth_signTransaction") from error
        if signed_by != self.address:
            raise InvalidKey(f"The signer at {self._rpc.name} signed with the key of {signed_by}, not {self.address}.")
        asked_for = transaction | {"accessList": ()}
        if any(str(_rpc_form(signed[name])).lower() != str(_rpc_form(asked_for[name])).lower() for name in asked_for):
            raise InvalidKey(f"The signer at {self._rpc.name} signed another transaction than it was given.")
        return raw, keccak(raw)  # EIP-2718

    def sign_typed_data(self, data: dict[str, Any]) -> bytes:
        """See `Signer`."""
        from registry.chain.foreign import Account, encode_typed_data

        answer = self._rpc.request("eth_signTypedData_v4", [self.address, json.dumps(data)])
        signature = self._bytes("eth_signTypedData_v4", answer)
        try:
            signed_by = Account.recover_message(encode_typed_data(full_message=data), signature=signature)
        except Exception as error:
            raise self._unreadable("eth_signTypedData_v4") from error
        if signed_by != self.address:
            raise InvalidKey(f"The signer at {self._rpc.name} did not sign this with the key of {self.address}.")
        # Some signers give the parity alone, which contracts do not take.
        return signature[:64] + bytes([27 + (signature[64] if signature[64] < 2 else (signature[64] + 1) % 2)])

    def _bytes(self, method: str, answer: Any) -> bytes:
        try:
            return bytes.fromhex(answer.removeprefix("0x"))
        except (AttributeError, ValueError) as error:
            raise self._unreadable(method) from error

    def _unreadable(self, method: str) -> RpcUnavailable:
        return RpcUnavailable(f"The signer at {self._rpc.name} answered {method} with something that cannot be read.")

    def __repr__(self) -> str:
        return f"RemoteSigner({self.address})"


def remote_signer(rpc: Rpc, address: str | None = None) -> RemoteSigner:
    """An account of a node or signer, by default its only one. Raises `NoKey` if it does not hold it."""
    answer = rpc.request("eth_accounts", [])
    try:
        held: Sequence[str] = [parse_address(text) for text in answer]
    except (TypeError, InvalidIdentifier) as error:
        raise RpcUnavailable(
            f"The signer at {rpc.name} answered eth_accounts with something that cannot be read."
        ) from error
    if address is None and len(held) != 1:
        raise NoKey(f"The signer at {rpc.name} holds {len(held)} accounts; name one with PROVENANCE_ACCOUNT.")
    wanted = held[0] if address is None else parse_address(address)
    if wanted not in held:
        raise NoKey(f"The signer at {rpc.name} does not hold the key of {wanted}.")
    return RemoteSigner(rpc, wanted)


def _rpc_form(value: Any) -> Any:
    if isinstance(value, int):
        return hex(value)
    return "0x" + value.hex() if isinstance(value, bytes) else value


def load_signer(
    *, keystore: Path | None = None, password_file: Path | None = None, private_key: str | None = None
) -> LocalSigner:
    """The configured key; a keystore wins over a bare key.

    Raises `NoKey`, `InvalidKey` or `WrongPassword`; no message and no cause holds any part of a key or password.
    """
    if keystore is not None:
        return _from_keystore(keystore, password_file)
    if private_key is not None:
        return signer_from_key(private_key)
    raise NoKey(NO_KEY)


def signer_from_key(private_key: str) -> LocalSigner:
    """A signer of a private key in hex, with or without 0x. Raises `InvalidKey`."""
    from registry.chain.foreign import Account

    try:
        raw = bytes.fromhex(private_key.strip().removeprefix("0x"))
        if len(raw) != 32:
            raise ValueError
        account: LocalAccount = Account.from_key(raw)
    except Exception:  # noqa: BLE001 - whatever the library raises may quote the key
        raise InvalidKey(
            "The private key cannot be used: it must be 64 hexadecimal characters, as secp256k1 takes them."
        ) from None
    return LocalSigner(account)


def _from_keystore(keystore: Path, password_file: Path | None) -> LocalSigner:
    from registry.chain.foreign import Account

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
