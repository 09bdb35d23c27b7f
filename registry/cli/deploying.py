"""`provenance deploy` and `provenance deployment verify`: the contracts on a chain, and what proves them."""

from pathlib import Path
from typing import Annotated

import typer

from registry.chain.deploy import deploy as deploy_all
from registry.chain.deployment import (
    check_deployment,
    deployment_record,
    read_record,
    refuse_wrong,
    verify_deployment,
    write_record,
)
from registry.chain.rebuild import rebuild
from registry.cli.acting import RpcUrl
from registry.cli.options import Json, configured
from registry.cli.output import Output
from registry.cli.parts import Parts
from registry.errors import DeploymentMismatch, InvalidSettings

deployment = typer.Typer(
    help="Check the contracts of a chain.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)


@deployment.callback()
def _deployment() -> None:
    """Check the contracts of a chain."""  # without a callback the group would be its only command


def deploy(rpc_url: RpcUrl = None, as_json: Json = False) -> None:
    """Put the four contracts at their addresses, or find them there. Anyone may, once for each chain.

    The addresses are the same on every chain (CREATE2 through the standard proxy). What was done is kept in
    HOME/deployments/CHAIN.json.
    """
    output = Output(as_json=as_json)
    parts = Parts(configured(rpc_url=rpc_url))
    chain = parts.chain
    folder = parts.settings.home_folder / "deployments"
    refuse_wrong([one for one in check_deployment(chain) if isinstance(one.error, DeploymentMismatch)])
    done = deploy_all(chain, parts.signer)
    record = deployment_record(chain.chain_id, done, read_record(folder, chain.chain_id))
    try:
        path = write_record(folder, record)
    except OSError as error:
        raise InvalidSettings(
            f"The contracts are there, and the record cannot be kept in {folder}: {error.strerror}."
        ) from error
    verify_deployment(chain)
    output.result(record | {"record": str(path)})
    for name, one in done.items():
        how = "unchanged" if one.receipt is None else f"deployed, {one.receipt.gas_used:,} gas"
        output.say(f"{name:<18} {one.address}  {how}")
    output.say(f"kept in {path}")


@deployment.command()
def verify(
    sources: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Compile the sources of this checkout anew with py-solc-x, and compare (needs the extra `audit`).",
        ),
    ] = None,
    rpc_url: RpcUrl = None,
    as_json: Json = False,
) -> None:
    """Check that the contracts at the CREATE2 addresses are this version's: the address and the runtime code.

    Each gets a verdict, and if any is wrong the command fails. With --sources nothing that was compiled before is
    believed.
    """
    output = Output(as_json=as_json)
    parts = Parts(configured(rpc_url=rpc_url))
    compiled = None if sources is None else rebuild(sources.absolute())
    found = check_deployment(parts.chain, compiled)
    for one in found:
        verdict = "the code is right" if one.error is None else f"{one.error.code}: {one.error.message}"
        output.say(f"{one.name:<18} {one.address}  {verdict}" + _since(one.deployed_at))
    refuse_wrong(found)
    output.result(
        {
            "chain_id": parts.chain.chain_id,
            "recompiled": compiled is not None,
            "contracts": {
                one.name: {
                    "address": one.address,
                    "code_hash": "0x" + one.code_hash.hex(),
                    "deployed_at": one.deployed_at,
                }
                for one in found
            },
        }
    )
    if compiled is not None:
        output.say("the sources compile to exactly this code")


def _since(block: int | None) -> str:
    return "" if block is None else f" (since block {block})"
