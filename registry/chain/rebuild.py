"""Compiling the contracts anew, for an auditor who believes no artifact: the pinned compiler over the sources at hand.

Needs py-solc-x (`pip install model-provenance-registry[audit]`) and the compiler, native or npm's, where py-solc-x
looks for it (`SOLCX_BINARY_PATH`); `make setup-contracts` puts one into `.tools/solcx` of the checkout that the product
runs from, which is where it is looked for first.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from registry.chain.artifact import CONTRACTS, ContractArtifact, contract_artifact
from registry.chain.keccak import keccak
from registry.errors import DeploymentMismatch, PathMissing, SetupError

_COMPILERS = Path(__file__).resolve().parent.parent.parent / ".tools" / "solcx"
_OUTPUT = ["evm.bytecode.object", "evm.deployedBytecode.object"]


@dataclass(frozen=True, slots=True)
class Compiled:
    """Creation code without arguments, and the keccak-256 of the runtime code with zeros where immutables go."""

    bytecode: bytes
    code_hash: bytes


def rebuild(folder: Path) -> dict[str, Compiled]:
    """Compile every contract from the sources in `folder`, which must be those that the artifacts were made from.

    Raises `PathMissing` or `DeploymentMismatch` for a source that is not there or is another, `SetupError` without a
    compiler.
    """
    return {name: _compile(folder, contract_artifact(name)) for name in CONTRACTS}


def _compile(folder: Path, contract: ContractArtifact) -> Compiled:
    try:
        import solcx
        from solcx.exceptions import SolcError, SolcNotInstalled
    except ImportError:
        raise SetupError(
            "Compiling the sources anew needs py-solc-x: pip install 'model-provenance-registry[audit]'."
        ) from None
    # This installation's, never one that lies beside the sources: those are what is being checked.
    if _COMPILERS.is_dir():
        os.environ.setdefault("SOLCX_BINARY_PATH", str(_COMPILERS))
    request = {
        "language": "Solidity",
        "sources": {path: {"content": _source(folder / path, digest)} for path, digest in contract.sources.items()},
        "settings": {**contract.compiler["settings"], "outputSelection": {"*": {contract.name: _OUTPUT}}},
    }
    version = contract.compiler["version"]
    try:
        answer = solcx.compile_standard(request, solc_version=version)
    except SolcNotInstalled:
        raise SetupError(
            f"The Solidity compiler {version} is not where py-solc-x looks for it. Run `make setup-contracts` in the "
            f"checkout that this command runs from, install it with `python -m solcx.install {version}`, or set "
            "SOLCX_BINARY_PATH to the folder that holds it."
        ) from None
    except SolcError as error:
        raise DeploymentMismatch(f"The sources of {contract.name} do not compile: {error.message}.") from error
    made = answer["contracts"][f"contracts/{contract.name}.sol"][contract.name]["evm"]
    return Compiled(
        bytes.fromhex(made["bytecode"]["object"]), keccak(bytes.fromhex(made["deployedBytecode"]["object"]))
    )


def _source(path: Path, digest: str) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PathMissing(f"The source “{path}” cannot be read: {error.strerror}.") from error
    if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
        raise DeploymentMismatch(f"The source “{path}” is not the one that this version was compiled from.")
    return data.decode()
