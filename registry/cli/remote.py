"""Asking a verification service over HTTP instead of judging here.

The service is trusted for what the registry holds, since the caller chose it, and for nothing else: an answer that is
too long, too slow, of another form or to another question is an error, and no verdict.
"""

import json
import re
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote, urlsplit

import urllib3
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from registry.artifacts.canonical import parse_json
from registry.content.timed import exchange, timed_connections
from registry.errors import InvalidDocument, ProvenanceError, ServiceUnavailable
from registry.policy.evidence import Subject
from registry.policy.policy import Policy
from registry.policy.rendering import subject_json
from registry.settings import Settings

_SECONDS: Final = 60.0
_LONGEST: Final = 32 << 20
_CODE: Final = r"^[a-z0-9]{1,20}([.-][a-z0-9]{1,20}){0,6}$"


class ServiceRefused(ProvenanceError):
    """The service answered with a problem document; the code is the service's."""

    code = "service.refused"

    def __init__(self, code: str, message: str, details: dict[str, Any]) -> None:
        super().__init__(message)
        self.details = details  # keys are the service's, and may be anything
        self.code = code  # type: ignore[misc]


class _Answer(BaseModel):
    """What this version reads of an answer; what it does not know it does not look at."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


_Text = Annotated[str, Field(max_length=10_000)]


class _Problem(_Answer):
    code: Annotated[str, Field(pattern=_CODE)] = "service.refused"
    detail: _Text
    details: dict[str, Any] | None = None


class _Block(_Answer):
    number: Annotated[int, Field(ge=0)]


class _Contracts(_Answer):
    model_registry: _Text


class _AsOf(_Answer):
    chain_id: Annotated[int, Field(ge=1)]
    contracts: _Contracts
    block: _Block


class _Reason(_Answer):
    code: _Text
    sentence: str


class _Changed(_Answer):
    path: _Text


class _Match(_Answer):
    changed: list[_Changed]
    missing: list[_Text]
    extra: list[_Text]


class _VerdictClaim(_Answer):
    name: _Text
    version: _Text
    license: _Text | None
    counted: bool


class _Verdict(_Answer):
    verdict: Literal["allow", "refuse", "unknown"]
    subject: dict[str, Any]
    policy: str | None
    as_of: _AsOf
    reasons: list[_Reason]
    match: _Match
    claims: list[_VerdictClaim]


class _Cid(_Answer):
    cid: _Text
    state: _Text


class _Terms(_Answer):
    id: _Text
    license: _Text | None


class _Status(_Answer):
    status: _Text
    reason: _Text
    since: int | None


class _Relative(_Answer):
    release: _Text
    relation: _Text


class _TrainingData(_Answer):
    disclosure: _Text | None = None
    digest: _Text | None = None


class _Release(_Answer):
    release: _Text
    publisher: _Text
    name: _Text
    version: _Text
    artifact: _Text
    manifest: _Cid
    terms: _Terms | None
    status: _Status
    parents: list[_Relative] = []
    children: list[_Relative] = []
    external_parents: list[dict[str, Any]] = []
    training_data: _TrainingData | None = None
    as_of: _AsOf | None = None


class _Artifact(_Answer):
    artifact: _Text
    claims: list[_Release]
    as_of: _AsOf


class _OmsRoot(_Answer):
    oms: _Text
    claims: list[_Release]
    as_of: _AsOf


class Service:
    """The service that `settings` name; an answer, headers and all, must be whole after `answer_seconds`."""

    def __init__(self, settings: Settings, *, answer_seconds: float = _SECONDS) -> None:
        self._url = (settings.api_url or "").rstrip("/")
        self._address = re.sub(r"//[^/]*@", "//", self._url)  # as errors show it: without a password
        self._chain_id = settings.chain_id
        self._seconds = answer_seconds

    def verdict(self, question: dict[str, Any], subject: Subject, policy: Policy | None) -> Any:
        """The service's verdict: on this subject, under this policy, of the chain expected.

        Raises ServiceUnavailable, or the service's own error.
        """
        body = question | ({} if policy is None else {"policy": policy.to_json()})
        answer = self._checked(self._ask("POST", "/v1/verify", body), _Verdict)
        digest = None if policy is None else f"sha256:{policy.digest.hex()}"
        for what, expected, found in (
            ("subject", subject_json(subject), answer["subject"]),
            ("policy", digest, answer["policy"]),
        ):
            if expected != found:
                raise ServiceUnavailable(
                    f"The service at {self._address} answered about another {what} than the one asked about; that is "
                    "no verdict.",
                    expected=expected,
                )
        self._check_chain(answer["as_of"])
        return answer

    def release(self, identifier: str) -> Any:
        """The service's view of a release. Raises ServiceUnavailable, or the service's own error."""
        return self._about("release", f"/v1/releases/{identifier}", identifier, _Release)

    def artifact(self, identifier: str) -> Any:
        """The service's view of an artifact. Raises ServiceUnavailable, or the service's own error."""
        return self._about("artifact", f"/v1/artifacts/{identifier}", identifier, _Artifact)

    def oms_root(self, identifier: str) -> Any:
        """Its view of a root of OpenSSF Model Signing. Raises ServiceUnavailable, or the service's own error."""
        return self._about("oms", f"/v1/oms/{identifier}", identifier, _OmsRoot)

    def _about(self, key: str, path: str, identifier: str, form: type[_Answer]) -> Any:
        answer = self._checked(self._ask("GET", path), form)
        if answer[key] != identifier:
            raise ServiceUnavailable(f"The service at {self._address} answered about another {key} than {identifier}.")
        self._check_chain(answer.get("as_of"))
        return answer

    def _check_chain(self, as_of: Any) -> None:
        if as_of is not None and self._chain_id not in (None, as_of["chain_id"]):
            raise ServiceUnavailable(
                f"The service at {self._address} follows chain {as_of['chain_id']}, and PROVENANCE_CHAIN_ID is "
                f"{self._chain_id}."
            )

    def _checked(self, answer: Any, form: type[_Answer]) -> Any:
        try:
            form.model_validate(answer)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])[:200] or "the answer"
            raise ServiceUnavailable(
                f"The service at {self._address} gives answers that this version cannot read ({where}: {first['msg']})."
            ) from None
        return answer

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON that the service answers, as it is. Raises ServiceUnavailable, or the service's own error."""
        try:
            status, data = self._fetch(method, path, body)
            answer = parse_json(data, _LONGEST)
        except (OSError, ValueError, InvalidDocument) as error:
            raise ServiceUnavailable(
                f"The service at {self._address} cannot be reached, or is none. Is PROVENANCE_API_URL its address?"
            ) from error
        if status == 200:
            return answer
        try:
            problem = _Problem.model_validate(answer)
        except ValidationError:
            raise ServiceUnavailable(
                f"What answers at {self._address} is no verification service (HTTP {status})."
            ) from None
        raise ServiceRefused(
            problem.code, f"The service at {self._address} says: {problem.detail}", problem.details or {}
        )

    def _fetch(self, method: str, path: str, document: Any) -> tuple[int, bytes]:
        """Status and body; none that comes compressed, which has no length. Raises OSError, ValueError."""
        parts = urlsplit(self._url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("this is no address of HTTP")
        headers = {"Accept-Encoding": "identity"}
        if parts.username is not None:
            user, word = unquote(parts.username), unquote(parts.password or "")
            headers |= urllib3.make_headers(basic_auth=f"{user}:{word}")
        body = None
        if document is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(document).encode()
        timeout = urllib3.Timeout(self._seconds)
        with timed_connections(parts.scheme, parts.hostname, timeout, self._seconds, most=1) as connections:
            answer = exchange(connections, method, self._address + path, headers, body, longest=_LONGEST)
        if answer.encoding != "identity":
            raise ValueError("the answer is compressed")
        return answer.status, answer.body
