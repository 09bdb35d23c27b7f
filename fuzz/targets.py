"""What is fuzzed: each reader of strangers' bytes, with the errors that it may raise. Anything else is a defect."""

import contextlib
import io
from collections.abc import Callable, Mapping
from typing import Any

from registry.artifacts.commitments.proofs import check_proof, parse_proof, write_proof
from registry.artifacts.formats.archive import Archive
from registry.artifacts.formats.gguf import read_gguf
from registry.artifacts.formats.onnx import read_onnx
from registry.artifacts.formats.pickle import read_pickles
from registry.artifacts.formats.safetensors import read_safetensors
from registry.artifacts.formats.tensorflow import OPERATIONS, read_graph, read_text_graph
from registry.artifacts.runs_code import code_in
from registry.artifacts.training.document import datasets_of, parse_training_manifest, write_training_manifest
from registry.artifacts.training.forms import import_training_data, read_training_data
from registry.chain.block_header import read_header
from registry.chain.keccak import keccak
from registry.chain.patricia import BadProof, proven
from registry.chain.state_proof import check_state_proof
from registry.content import dagpb, unixfs
from registry.content.car import read_car
from registry.content.cid import Cid
from registry.errors import (
    BlockMismatch,
    InvalidCommitment,
    InvalidDag,
    InvalidDocument,
    InvalidIdentifier,
    InvalidModelFile,
    InvalidRelease,
    ProofRefused,
    StateProofRefused,
    UnknownLabel,
)
from registry.proofs import parse_state_proof, write_state_proof


def safetensors(data: bytes) -> None:
    """Tensors lie within the file, one after the other."""
    end = 0
    for tensor in read_safetensors(io.BytesIO(data), len(data)).tensors:
        assert end <= tensor.start and tensor.start + tensor.size <= len(data)
        end = tensor.start + tensor.size


def gguf(data: bytes) -> None:
    """Tensors lie within the file."""
    for tensor in read_gguf(io.BytesIO(data), len(data)).tensors:
        assert tensor.start > 0 and tensor.start + tensor.size <= len(data)


def onnx(data: bytes) -> None:
    """A walk ends."""
    read_onnx(io.BytesIO(data), len(data))


def tensorflow(data: bytes) -> None:
    """Whatever it is, there is a report, of operations that are known."""
    for report in (read_graph(io.BytesIO(data), len(data), required=True), read_text_graph(io.BytesIO(data))):
        assert {*report.operations} <= {*OPERATIONS, "PrintV2"}


def pickles(data: bytes) -> None:
    """Whatever it is, there is a report, and it can be shown."""
    report = read_pickles(io.BytesIO(data))
    assert all(name.isprintable() for name in report.imports)


def archive(data: bytes) -> None:
    """Members are read or refused."""
    opened = Archive(io.BytesIO(data))
    for member in opened.members[:10]:
        opened.start(member, 100)


def runs_code(data: bytes) -> None:
    """Whatever a file is called, it is looked into."""
    for path in ("a.pt", "a.json", "config.json", "a.npy", "a.keras", "a.h5", "modules.json", "saved_model.pb", "a"):
        list(code_in(path, io.BytesIO(data), len(data)))


def dag_pb(data: bytes) -> None:
    """A block has one form."""
    node = dagpb.decode(data)
    assert dagpb.encode(node) == data
    unixfs.decode_data(node.data)


def car(data: bytes) -> None:
    """Blocks are those that they claim to be."""
    _, blocks = read_car(io.BytesIO(data))
    for cid, block in blocks:
        assert Cid.of(cid.codec, block) == cid


def cid_text(data: bytes) -> None:
    """A CID is read back from what it is written as."""
    cid = Cid.parse(data.decode("latin-1"))
    assert Cid.parse(str(cid)) == cid


def cid_bytes(data: bytes) -> None:
    """A binary CID has one form."""
    assert Cid.from_bytes(data).to_bytes() == data


def proof(data: bytes) -> None:
    """A proof has one form, and is checked to an end."""
    found = parse_proof(data)
    assert write_proof(found) == data
    check_proof(found, found.commitment.root)


def state_proof(data: bytes) -> None:
    """A proof of state has one form, and is checked to an end."""
    found = parse_state_proof(data)
    assert write_state_proof(found) == data
    check_state_proof(found, keccak(found.header))


def trie_node(data: bytes) -> None:
    """What a node alone proves under its own hash is that there is nothing at a key, or it proves nothing."""
    for key in (bytes(32), b"\x11" * 32):
        with contextlib.suppress(BadProof):
            assert proven(keccak(data), key, [data]) is None


def block_header(data: bytes) -> None:
    """A header is its bytes."""
    assert read_header(data).hash == keccak(data)


Target = Callable[[bytes], None]


def training_data(data: bytes) -> None:
    """What is taken is stored in one form, which is read back."""
    taken = import_training_data(data)
    assert read_training_data(taken.data) == taken.form
    if taken.form == "training-data-manifest":
        datasets = datasets_of(parse_training_manifest(taken.data), taken.table)
        assert write_training_manifest(datasets) == (taken.data, taken.table)


TARGETS: Mapping[str, tuple[Target, tuple[type[Exception], ...]]] = {
    "safetensors": (safetensors, (InvalidModelFile,)),
    "gguf": (gguf, (InvalidModelFile,)),
    "onnx": (onnx, (InvalidModelFile,)),
    "tensorflow": (tensorflow, ()),
    "pickles": (pickles, ()),
    "archive": (archive, (InvalidModelFile,)),
    "runs_code": (runs_code, (InvalidModelFile,)),
    "dag_pb": (dag_pb, (InvalidDag,)),
    "car": (car, (InvalidDag, BlockMismatch)),
    "cid_text": (cid_text, (InvalidIdentifier,)),
    "proof": (proof, (InvalidDocument, InvalidCommitment, ProofRefused)),
    "state_proof": (
        state_proof,
        (InvalidDocument, InvalidIdentifier, InvalidRelease, UnknownLabel, StateProofRefused),
    ),
    "trie_node": (trie_node, ()),
    "block_header": (block_header, (ValueError,)),
    "cid_bytes": (cid_bytes, (InvalidIdentifier,)),
    "training_data": (training_data, (InvalidDocument,)),
}


def run(name: str, data: bytes) -> Any:
    """One input through one target; raises only for a defect."""
    target, expected = TARGETS[name]
    try:
        target(data)
    except expected:
        return
