"""The one settings object: flags win over the environment, the environment over `.env`, that over `provenance.toml`.

Each field is read from `PROVENANCE_<NAME>`; `provenance.toml` and `.env` are looked for in the working directory.
`docs/settings.md` lists them, and a test holds the two together.
"""

import difflib
import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from registry.errors import InvalidSettings

_PREFIX = "PROVENANCE_"
_OTHER_NAMES = frozenset({"PROVENANCE_TRACEBACK"})


class Settings(BaseSettings):
    """Where things are and which key acts. Paths may start with `~`."""

    model_config = SettingsConfigDict(
        env_prefix="PROVENANCE_",
        env_file=".env",
        toml_file="provenance.toml",
        extra="ignore",
        env_ignore_empty=True,
        hide_input_in_errors=True,
        frozen=True,
    )

    home: Path = Field(
        default=Path("~/.provenance"),
        description="Folder for everything that is kept locally: the store, the index, the local chain.",
    )
    rpc_url: str = Field(default="http://127.0.0.1:8545", description="JSON-RPC address of an EVM node.")
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
    signer_url: str | None = Field(
        default=None,
        description="JSON-RPC address of a node or signer that holds the acting key (`eth_signTypedData_v4`, "
        "`eth_signTransaction`); it wins over a keystore.",
    )
    account: str | None = Field(default=None, description="Which of the signer's accounts acts. Unset: its only one.")
    store: str | None = Field(
        default=None, description="Where artifacts are kept: a folder, or Kubo's RPC address. Unset: HOME/store."
    )
    gateways: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Trustless gateways to read from, separated by commas. Every block is hashed."
    )
    database_url: str | None = Field(
        default=None, description="The index, as an SQLAlchemy URL. Unset: SQLite in HOME/index.sqlite."
    )
    api_url: str | None = Field(
        default=None, description="A verification service to ask. Unset: follow the chain here and judge locally."
    )
    ready_blocks: int = Field(
        default=5, ge=0, description="/readyz answers 200 while the index is at most this many blocks behind."
    )
    poll_seconds: float = Field(default=1.0, gt=0, description="How often the follower asks for new blocks.")
    max_body_bytes: int = Field(default=8 << 20, ge=1024, description="Longest request body that the service reads.")
    max_files: int = Field(default=10_000, ge=1, description="Longest list of files in one verify request.")

    @field_validator("gateways", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("home", "keystore", "password_file", mode="after")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, dotenv_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def home_folder(self) -> Path:
        """`home`, absolute, also when it is the default."""
        return self.home.expanduser().absolute()

    @property
    def store_location(self) -> str:
        """`store`, or its default below `home`."""
        return self.store or str(self.home_folder / "store")

    @property
    def database_location(self) -> str:
        """`database_url`, or its default below `home`."""
        return self.database_url or f"sqlite:///{self.home_folder / 'index.sqlite'}"


def load_settings(**flags: Any) -> Settings:
    """Settings with `flags` on top; a flag that is None was not given.

    Raises `InvalidSettings` naming the setting, never its value.
    """
    try:
        _refuse_unknown_names()
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = "PROVENANCE_" + "_".join(str(part) for part in first["loc"]).upper()
        raise InvalidSettings(f"{name} cannot be used: {first['msg']}.", setting=name) from None
    except ValueError as error:  # a provenance.toml that is not TOML
        raise InvalidSettings(f"provenance.toml cannot be read: {error}.") from None


def _refuse_unknown_names() -> None:
    """Raises `InvalidSettings` for a name that is none: a misspelt one would leave its default in force, unseen.

    In the files every name is ours. The environment is everybody's (Kubernetes names a service's port so), and there
    only what is nearly one of ours is refused.
    """
    for name in DotEnvSettingsSource(Settings).env_vars:
        if name.upper().startswith(_PREFIX):
            _refuse_unknown(name.upper(), ".env", _PREFIX)
    for name in TomlConfigSettingsSource(Settings).toml_data:
        _refuse_unknown(name, "provenance.toml", "")
    for name in os.environ:
        if name.upper().startswith(_PREFIX) and name not in _OTHER_NAMES:
            _refuse_unknown(name, "the environment", _PREFIX, cutoff=0.8)


def _refuse_unknown(name: str, place: str, prefix: str, cutoff: float = 0.0) -> None:
    known = name.upper().removeprefix(_PREFIX).lower()
    if known in Settings.model_fields and (prefix or name == known):
        return
    near = difflib.get_close_matches(known, Settings.model_fields, n=1, cutoff=cutoff)
    if near:
        meant = prefix + near[0].upper() if prefix else near[0]
        raise InvalidSettings(
            f"{name} in {place} is no setting. The nearest is {meant}; docs/settings.md lists them all.", setting=name
        )
