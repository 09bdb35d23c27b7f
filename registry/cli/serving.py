"""`provenance serve` and `provenance dev`: the service, alone or with a whole local stack below it."""

import errno
import json
import secrets
import socket
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from eth_typing import HexStr

from registry.chain.client import Chain
from registry.chain.deploy import deploy
from registry.chain.devnode import DEV_CHAIN_ID, dev_key, dev_node, dev_signer
from registry.chain.foreign import Account
from registry.cli.options import Json, configured
from registry.cli.output import Output
from registry.cli.single import alone
from registry.cli.stopping import until_stopped
from registry.errors import SetupError
from registry.settings import Settings

_PORT_SECONDS = 3.0
ACCOUNTS = {"publisher-1": 1, "publisher-2": 2, "stranger": 3}
"""The local accounts that get a keystore, by the index of the node's test mnemonic; account 0 deploys."""


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Follow the chain here, or serve what another process indexes.")
    ] = True,
    rpc_url: Annotated[str | None, typer.Option(help="JSON-RPC address of the node, or of several (commas).")] = None,
    store: Annotated[str | None, typer.Option(help="A folder, or Kubo's RPC address.")] = None,
    as_json: Json = False,
) -> None:
    """Follow the chain and answer over HTTP until Ctrl-C. It holds no key."""
    settings = configured(rpc_url=rpc_url, store=store)
    output = Output(as_json=as_json)
    with until_stopped():
        _check_port(host, port, "--port")
        output.result({"api": f"http://{host}:{port}"})
        output.say(f"service  http://{host}:{port}")
        _run(settings, host, port, follow)


def dev(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the local node.")] = 8545,
    api_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the service.")] = 8000,
    as_json: Json = False,
) -> None:
    """Run a whole local stack until Ctrl-C: node, contract, index, service. It starts again where it stopped."""
    output = Output(as_json=as_json)
    settings = configured(rpc_url=f"http://127.0.0.1:{port}", chain_id=DEV_CHAIN_ID)
    folder = settings.home_folder / "dev"
    with until_stopped(), alone(folder, "Another `provenance dev`"):
        _check_port("127.0.0.1", port, "--port")
        _check_port("127.0.0.1", api_port, "--api-port")
        _dev(settings, folder, port, api_port, output)


def _dev(settings: Settings, folder: Path, port: int, api_port: int, output: Output) -> None:
    with dev_node(state=folder / "chain.json", port=port, log=folder / "node.log") as node:
        contracts = {name: done.address for name, done in deploy(node.chain, dev_signer(0)).items()}
        accounts = _accounts(node.chain, folder)
        api = f"http://127.0.0.1:{api_port}"
        output.result({"rpc": node.url, "api": api, "contracts": contracts, "accounts": accounts})
        output.say(f"node      {node.url} (chain {DEV_CHAIN_ID})")
        for name, address in contracts.items():
            output.say(f"contract  {name:<18}  {address}")
        output.say(f"service   {api}")
        for name, account in accounts.items():
            output.say(f"account   {name}  {account}  {folder / name}.json")
        output.say(f"password  {folder / 'password'}")
        _run(settings, "127.0.0.1", api_port, follow=True)


def _accounts(chain: Chain, folder: Path) -> dict[str, str]:
    """Encrypted keystores of the local accounts in `folder`, made once; their CAIP-10 names."""
    password = folder / "password"
    if not password.exists():
        _write_secret(password, secrets.token_urlsafe(24) + "\n")
    names = {}
    for name, index in ACCOUNTS.items():
        keystore = folder / f"{name}.json"
        if not keystore.exists():
            # A test mnemonic's key is public: few iterations, so that the stack starts quickly.
            encrypted: dict[str, Any] = Account.encrypt(
                HexStr(dev_key(index)), password.read_text().strip(), kdf="pbkdf2", iterations=10_000
            )
            _write_secret(keystore, json.dumps(encrypted))
        names[name] = f"eip155:{chain.chain_id}:{dev_signer(index).address}"
    return names


def _write_secret(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.touch(mode=0o600)
    part.write_text(text)
    part.rename(path)


def _check_port(host: str, port: int, option: str) -> None:
    """Raises SetupError when something listens there; what was killed a moment ago is given time to end."""
    deadline = time.monotonic() + _PORT_SECONDS
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                return
            except OSError as error:
                if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                    time.sleep(0.1)
                    continue
                why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be listened on ({error.strerror})"
                raise SetupError(
                    f"Port {port} on {host} {why}. Stop what runs there, or choose another with {option}."
                ) from error


def _run(settings: Settings, host: str, port: int, follow: bool) -> None:
    from api.server import make_server

    server = make_server(settings, host, port, follow=follow)
    try:
        listener = server.config.bind_socket()
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # what nobody takes is dropped with its connection, buffers and all
            unread = max(1, int(settings.send_seconds * 1000))
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, unread)
        server.run([listener])  # raises the signal again that ended it
    except SystemExit as stop:  # uvicorn's way to say that it could not start; it has printed why
        raise SetupError(f"The service could not listen on {host}:{port}: is something else there?") from stop
    if not server.started:
        raise SetupError(f"The service could not listen on {host}:{port}: is something else there?")
