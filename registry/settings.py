"""The one settings object: flags win over the environment, the environment over `.env`, that over `provenance.toml`.

Each field is read from `PROVENANCE_<NAME>`. Both files are looked for in PROVENANCE_HOME and nowhere else, or one file
is named outright: the working directory may be a folder that somebody else made, and what is tested must not choose
its judge. `docs/settings.md` lists the settings, and a test holds the two together.
"""

import difflib
import ipaddress
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from registry.errors import InvalidSettings

_HOME = Path("~/.provenance")
_PREFIX = "PROVENANCE_"
_OTHER_NAMES = frozenset({"PROVENANCE_TRACEBACK"})


class Settings(BaseSettings):
    """Where things are and which key acts. Paths may start with `~`."""

    model_config = SettingsConfigDict(
        env_prefix="PROVENANCE_",
        extra="ignore",
        env_ignore_empty=True,
        hide_input_in_errors=True,
        frozen=True,
    )

    home: Path = Field(
        default=_HOME,
        description="Folder for everything that is kept locally: settings, the store, the index, the local chain.",
    )
    config: Path | None = Field(
        default=None,
        description="File of settings, TOML or in the form of `.env`, that is read in place of the two in HOME.",
    )
    rpc_url: str = Field(
        default="http://127.0.0.1:8545",
        description="JSON-RPC address of an EVM node. Several, separated by commas, stand in for each other; "
        "transactions go to the first only.",
    )
    rpc_quorum: int = Field(
        default=1,
        ge=1,
        description="How many of these nodes must give the same block before it counts, with the block hashes in its "
        "logs.",
    )
    rpc_websocket: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="WebSocket addresses (ws, wss) of nodes that tell the follower of new blocks, separated by commas, "
        "or `none`. Unset: the addresses in RPC_URL with ws in place of http, where many nodes listen too. A block "
        "that may hold records is read at once, from RPC_URL: what is told is a hint, and no more.",
    )
    chain_id: int | None = Field(
        default=None, ge=1, description="Refuse a node of any other chain. Unset: the node's own answer is taken."
    )
    model_registry: str | None = Field(
        default=None,
        description="Address of the ModelRegistry. Unset: the CREATE2 address, which is the same on every chain.",
    )
    publisher_registry: str | None = Field(
        default=None, description="Address of the PublisherRegistry, likewise; it must be the ModelRegistry's own."
    )
    license_registry: str | None = Field(default=None, description="Address of the LicenseRegistry, likewise.")
    statement_registry: str | None = Field(default=None, description="Address of the StatementRegistry, likewise.")
    from_block: int | None = Field(
        default=None,
        ge=0,
        description="First block that can hold the contract's events. Unset: the contract's own answer.",
    )
    keystore: Path | None = Field(default=None, description="Encrypted keystore (JSON, version 3) of the acting key.")
    password_file: Path | None = Field(default=None, description="File whose first line opens the keystore.")
    private_key: SecretStr | None = Field(
        default=None, description="The acting key itself, as hex, where no keystore is given."
    )
    max_fee: float = Field(
        default=1.0,
        gt=0,
        description="The most that one transaction may cost, in the chain's coin (ETH): gas, and on chains of the OP "
        "Stack the fee for its data. Other rollups may take such a fee on top, which is not known here.",
    )
    signer_url: str | None = Field(
        default=None,
        description="JSON-RPC address of a node or signer that holds the acting key (`eth_signTypedData_v4`, "
        "`eth_signTransaction`); it wins over a keystore.",
    )
    account: str | None = Field(default=None, description="Which of the signer's accounts acts. Unset: its only one.")
    store: str | None = Field(
        default=None,
        description="Where artifacts are kept: a folder, or Kubo's RPC address; several, separated by commas, keep "
        "everything each (a comma that no path or address follows is part of a folder's name). Unset: HOME/store.",
    )
    pinning_service: str | None = Field(
        default=None,
        description="Address of a service with the IPFS Pinning Service API that pins what is stored, from the Kubo "
        "nodes in STORE.",
    )
    pinning_token: SecretStr | None = Field(default=None, description="Its access token.")
    pinning_token_file: Path | None = Field(default=None, description="File whose first line is that token.")
    gateways: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Trustless gateways to read from, separated by commas. Every block is hashed."
    )
    denylists: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(),
        description="Files in the denylist format of IPIP-383, separated by commas: what they deny is not served under "
        "/ipfs/ (410). Read again when they change; rules of later files count over earlier ones.",
    )
    database_url: str | None = Field(
        default=None,
        description="The index: sqlite:////folder/index.sqlite, or postgresql://user@host/database. Unset: SQLite in "
        "HOME/index.sqlite.",
    )
    api_url: str | None = Field(
        default=None, description="A verification service to ask. Unset: follow the chain here and judge locally."
    )
    digest_cache: bool | None = Field(
        default=None,
        description="Whether `digest` and `verify` take a file that did not change since it was last hashed as read. "
        "Unset: yes, unless the environment says CI.",
    )
    ready_blocks: int = Field(
        default=5,
        ge=0,
        description="/readyz answers 200 once the index has been at the head of the chain, and from then on while it "
        "is at most this many blocks behind.",
    )
    poll_seconds: float = Field(
        default=1.0,
        gt=0,
        description="How often the follower asks for new blocks, whatever it is told of them meanwhile.",
    )
    head_seconds: float | None = Field(
        default=None,
        ge=0.01,
        description="How often it asks for the newest block alone, in one request, while no node tells of new ones. "
        "Unset: 0.1 where all nodes are on this machine, else only with POLL_SECONDS.",
    )
    max_body_bytes: int = Field(default=8 << 20, ge=1024, description="Longest request body that the service reads.")
    body_seconds: float = Field(
        default=20.0, gt=0, description="How long the service waits for a whole request body, however it trickles in."
    )
    send_seconds: float = Field(
        default=60.0,
        gt=0,
        description="How long a client may take for a piece of a CAR, a block of 1 MiB or several small ones, before "
        "the service ends it.",
    )
    max_files: int = Field(default=10_000, ge=1, description="Longest list of files in one verify request.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Origins whose pages may ask the service from a browser, separated by commas, or `*` for all. "
        "Unset: none, since a page could read from a service on the reader's own machine what its store holds.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Addresses or networks of proxies whose `X-Forwarded-For` is believed, separated by commas.",
    )
    rate_limit: int = Field(
        default=6_000,
        ge=0,
        description="Requests that one client may make in a minute, at once or spread; an item of a batch and a block "
        "count as a tenth. 0: no limit. A client is an IPv4 address or an IPv6 network of 64 bits. Services on one "
        "index count together.",
    )
    metrics_from: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("127.0.0.0/8", "::1"),
        description="Addresses or networks that may read /metrics, separated by commas.",
    )
    max_streams: int = Field(
        default=100,
        ge=0,
        description="How many may listen to /v1/events at once, in one process. Nobody has more places than are left.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text",
        description="What `serve` writes on stderr: `text` is warnings for people; `json` is one object a line, each "
        "request among them with its id.",
    )
    stop_seconds: float = Field(
        default=10.0, ge=0, description="How long a service that is stopped lets answers go on that were begun."
    )

    @field_validator(
        "rpc_websocket", "gateways", "denylists", "cors_origins", "trusted_proxies", "metrics_from", mode="before"
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("home", "config", "keystore", "password_file", "pinning_token_file", mode="after")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return None if value is None else _expanded(value)

    @field_validator("denylists", mode="after")
    @classmethod
    def _expand_all(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(_expanded(path) for path in value)

    @field_validator("trusted_proxies", "metrics_from", mode="after")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            ipaddress.ip_network(part)
        return value

    @field_validator("rpc_websocket", mode="after")
    @classmethod
    def _are_websockets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            parts = urlsplit(part)
            if part != "none" and not (parts.scheme in ("ws", "wss") and parts.hostname and parts.port != 0):
                raise ValueError("must start with ws:// or wss://, name a host, and a port if any; or be `none`")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        given = {**env_settings(), **init_settings()}
        files = settings_files(given.get("config"), given.get("home"))
        return init_settings, env_settings, *(_source(settings_cls, file) for file in files)

    @property
    def home_folder(self) -> Path:
        """`home`, absolute, also when it is the default."""
        return _expanded(self.home)

    @property
    def store_location(self) -> str:
        """`store`, or its default below `home`."""
        return self.store or str(self.home_folder / "store")

    @property
    def contract_addresses(self) -> dict[str, str]:
        """The addresses of contracts that are set, by the contracts' names."""
        given = {
            "PublisherRegistry": self.publisher_registry,
            "ModelRegistry": self.model_registry,
            "LicenseRegistry": self.license_registry,
            "StatementRegistry": self.statement_registry,
        }
        return {name: address for name, address in given.items() if address}

    @property
    def database_location(self) -> str:
        """`database_url`, or its default below `home`."""
        return self.database_url or f"sqlite:///{self.home_folder / 'index.sqlite'}"


def settings_files(config: str | Path | None = None, home: str | Path | None = None) -> list[Path]:
    """The files of settings that are read, the one that wins first. Raises `InvalidSettings`."""
    try:
        if config is not None:
            file = _expanded(Path(config))
            if not file.is_file():
                raise InvalidSettings(f"There is no file of settings {str(file)!r}.", setting="PROVENANCE_CONFIG")
            return [file]
        folder = _expanded(Path(_HOME if home is None else home))
        return [file for file in (folder / ".env", folder / "provenance.toml") if file.is_file()]
    except (OSError, ValueError) as error:  # a name that is too long, or nobody's home
        reason = getattr(error, "strerror", None) or error
        raise InvalidSettings(f"The files of settings cannot be looked for: {reason}.") from None


def load_settings(**flags: Any) -> Settings:
    """Settings with `flags` on top; a flag that is None was not given.

    Raises `InvalidSettings` naming the setting, never its value.
    """
    try:
        for name in os.environ:
            if name.upper().startswith(_PREFIX) and name not in _OTHER_NAMES:
                _refuse_unknown(name, "the environment", _PREFIX, cutoff=0.8)
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = "PROVENANCE_" + "_".join(str(part) for part in first["loc"]).upper()
        raise InvalidSettings(f"{name} cannot be used: {first['msg']}.", setting=name) from None


def _refuse_unknown(name: str, place: str, prefix: str, cutoff: float = 0.0) -> None:
    """Raises `InvalidSettings` for a name that is none: a misspelt one would leave its default in force, unseen.

    In the files every name is ours. The environment is everybody's (Kubernetes names a service's port so), and there
    only what is nearly one of ours is refused.
    """
    known = name.upper().removeprefix(_PREFIX).lower()
    if known in Settings.model_fields and (prefix or name == known):
        return
    near = difflib.get_close_matches(known, Settings.model_fields, n=1, cutoff=cutoff)
    if near:
        meant = prefix + near[0].upper() if prefix else near[0]
        raise InvalidSettings(
            f"{name} in {place} is no setting. The nearest is {meant}; docs/settings.md lists them all.", setting=name
        )


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(f"{str(path)!r} names the home of a user who is not known here") from error


def _source(settings: type[BaseSettings], file: Path) -> PydanticBaseSettingsSource:
    """Raises `InvalidSettings` for a file that is neither TOML nor in the form of `.env`, or has an unknown name."""
    try:
        text = file.read_text("utf-8")
        values = tomllib.loads(text) if file.suffix == ".toml" else None
    except (OSError, ValueError) as error:
        raise InvalidSettings(f"{str(file)!r} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if values is not None:
        for name in values:
            _refuse_unknown(name, file.name, "")
        return InitSettingsSource(settings, values)
    source = DotEnvSettingsSource(settings, env_file=file, env_file_encoding="utf-8")
    for name in source.env_vars:
        if name.upper().startswith(_PREFIX):
            _refuse_unknown(name.upper(), file.name, _PREFIX)
    return source
