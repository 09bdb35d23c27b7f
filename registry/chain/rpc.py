"""JSON-RPC to an EVM node over web3.py's provider; every foreign exception becomes one of ours here.

web3.py takes most of a second to import, and is when the first node is opened: who asks a service opens none.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from registry.errors import InvalidSettings, RpcRefused, RpcUnavailable

_log = logging.getLogger(__name__)


class Rpc(Protocol):
    """One node."""

    @property
    def name(self) -> str:
        """How messages name the node: without path, query or credentials, which may hold an access key."""

    def request(self, method: str, params: Sequence[Any]) -> Any:
        """The `result` of a request. Raises `RpcUnavailable`, or `RpcRefused` with the node's own error."""


class HttpRpc:
    """A node by its HTTP address. Nothing is retried here: who asks knows whether that is safe.

    `setting` names the setting that the address comes from, for messages; `what` says what is there: node or signer.
    """

    def __init__(
        self, url: str, timeout: float = 30.0, *, setting: str = "PROVENANCE_RPC_URL", what: str = "node"
    ) -> None:
        self._setting = setting
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:  # a port that is none
            usable = False
        if not usable:
            raise InvalidSettings(
                f"{setting}, the address of a {what}, must start with http:// or https://, name a host, and a port "
                "if any."
            )
        self._name = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
        self._whole_name = f"The {what} at {self._name}"
        from registry.chain import foreign

        self._foreign = foreign
        self._provider = foreign.NodeProvider(
            url, request_kwargs={"timeout": timeout, "allow_redirects": False}, exception_retry_configuration=None
        )

    @property
    def name(self) -> str:
        """Scheme, host and port."""
        return self._name

    def request(self, method: str, params: Sequence[Any]) -> Any:
        """See `Rpc`."""
        try:
            answer: Any = self._provider.make_request(self._foreign.RPCEndpoint(method), list(params))
        except (requests.Timeout, ReadTimeoutError) as error:
            raise RpcUnavailable(f"{self._whole_name} did not answer {method} in time.") from _without_url(error)
        except requests.HTTPError as error:
            status = None if error.response is None else error.response.status_code
            wait = None if error.response is None else _retry_after(error.response.headers.get("Retry-After"))
            raise RpcUnavailable(
                f"{self._whole_name} answered {method} with HTTP status {status}.",
                http_status=status,
                **({} if wait is None else {"retry_after": wait}),
            ) from _without_url(error)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise RpcUnavailable(
                f"{self._whole_name} cannot be reached. Is it running, and is {self._setting} its address?"
            ) from _without_url(error)
        except (self._foreign.Web3Exception, ValueError, TypeError, RecursionError) as error:
            raise RpcUnavailable(f"What answers at {self._name} does not speak JSON-RPC.") from _without_url(error)
        return self._result(method, answer)

    def _result(self, method: str, answer: Any) -> Any:
        if not isinstance(answer, dict) or ("result" not in answer and "error" not in answer):
            raise RpcUnavailable(f"What answers at {self._name} does not speak JSON-RPC.")
        refusal = answer.get("error")
        if refusal is None:
            return answer["result"]
        fields = cast(dict[str, Any], refusal) if isinstance(refusal, dict) else {"message": str(refusal)}
        message = _printable(str(fields.get("message", "no reason given")))
        _log.debug("%s refused %s: %s", self._name, method, message)
        raise RpcRefused(
            f"{self._whole_name} refused {method}: {message}",
            rpc_code=fields.get("code"),
            data=fields.get("data"),
        )


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait, from a Retry-After header (RFC 9110, 10.2.3); None where it says nothing that can be read."""
    if value is None:
        return None
    try:
        if value.strip().isdecimal():
            return float(value)
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):  # no date, or one without a time zone
        return None


def _without_url(error: Exception) -> Exception:
    """The kind of a foreign exception without its text, which names the whole address with any key in it."""
    return RuntimeError(type(error).__name__)


def _printable(text: str, limit: int = 300) -> str:
    return "".join(character for character in text[:limit] if character.isprintable())
