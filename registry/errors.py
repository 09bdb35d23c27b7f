"""Every error that a user can meet: one tree, a stable code each, and the HTTP status beside it.

    ProvenanceError
    ├── InputError            what was asked cannot be understood
    │   ├── InvalidIdentifier, UnknownLabel, InvalidPolicy, InvalidDocument, InvalidSettings, InvalidQuery,
    │   │   RequestTooLarge, RequestTooSlow, TooManyRequests, MalformedRequest, UnsupportedFormat, RangeNotSatisfiable,
    │   │   NobodyToAsk
    ├── ArtifactError         the folder on disk cannot be taken as an artifact
    │   ├── PathMissing, UnsafeName, NameCollision, ForeignLink, SpecialFile, CacheFolder, EmptyArtifact,
    │   │   FileChanged, PreflightFailed, LicenseContradiction, InvalidManifest, ManifestTooLarge,
    │   │   InvalidModelFile, UnknownModelFormat, InvalidModelSignature
    ├── TrainingDataError     training data that is declared, committed to, or proven
    │   ├── InvalidCommitment, InvalidRecord, EmptySet, ProofRefused, SetNotKept
    ├── ContentError          blocks, DAGs and the stores that hold them
    │   ├── InvalidDag, DirectoryTooLarge, BlockMismatch, BlockNotFound, NotHeld, ContentBlocked, RootMismatch,
    │   │   StoreUnavailable, StoreFull, StoreBusy, StoreDamaged, PartlyKept, PinFailed, DestinationNotEmpty
    │   ├── SourceChanged     (a BlockNotFound)
    │   └── BlockNotInTime    (a StoreUnavailable)
    ├── ChainError            the node, the contract, the key
    │   ├── RpcUnavailable, RpcRefused, WrongChain, NoContract, NoKey, InvalidKey, WrongPassword, InsufficientFunds,
    │   │   TransactionReverted, TransactionPending, VersionTaken, ReleaseNotFound, InvalidRelease, InvalidLog,
    │   │   NodeBehind, InvalidSignature, NotAuthorised, PublisherFrozen, DeploymentMismatch, FeeTooHigh,
    │   │   StateProofRefused, StateNotKept
    │   └── NoQuorum          (an RpcUnavailable)
    ├── RegistryIndexError    the database that follows the chain
    │   ├── IndexUnavailable, IndexOutdated, LogGap, RecordNotFound, BlockNotInChain
    ├── NotAllowed            a guard was not told to let the files be loaded
    ├── SetupError            something that the project needs is not installed
    │   ├── FolderInUse
    └── ServiceUnavailable    the verification service that was to be asked
        └── ServiceBusy

A foreign exception is wrapped where it enters; what reaches a user is one of these. The README's sibling
`docs/errors.md` lists them all, and a test holds the two together.
"""

from typing import Any, ClassVar


class ProvenanceError(Exception):
    """Base of the tree. `message` is a sentence for a person; `details` are JSON values for a program."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def as_dict(self) -> dict[str, Any]:
        """The error as JSON: `code`, `message` and, where there are any, `details`."""
        return {"code": self.code, "message": self.message, **({"details": self.details} if self.details else {})}


class InputError(ProvenanceError):
    """What was asked cannot be understood."""

    code = "input"
    status = 400


class InvalidIdentifier(InputError):
    """An identifier is malformed, of the wrong kind, or bare hex without its prefix."""

    code = "input.identifier"


class UnknownLabel(InputError):
    """A kind of statement, a relation, a status or a reason that there is none of; the message lists them."""

    code = "input.unknown-label"


class InvalidPolicy(InputError):
    """A policy document does not have the published form."""

    code = "input.policy"


class InvalidDocument(InputError):
    """A terms, training-data or Croissant document does not have its published form."""

    code = "input.document"


class InvalidSettings(InputError):
    """A setting, from a flag, the environment or a file, cannot be used."""

    code = "input.settings"


class InvalidQuery(InputError):
    """A parameter or header of a request, or a pattern of paths, cannot be understood."""

    code = "input.query"


class MalformedRequest(InputError):
    """The body of a request is not JSON, or lacks a field."""

    code = "input.malformed"
    status = 422


class UnsupportedFormat(InputError):
    """Content was asked for in a form that is not served."""

    code = "input.unsupported-format"
    status = 406


class NobodyToAsk(InputError):
    """A command would ask first, and there is no terminal to ask on."""

    code = "input.nobody-to-ask"


class RangeNotSatisfiable(InputError):
    """The bytes asked for lie behind the end of the block."""

    code = "input.range"
    status = 416


class RequestTooLarge(InputError):
    """A body or a list in it is longer than the service takes."""

    code = "input.too-large"
    status = 413


class RequestTooSlow(InputError):
    """A body did not come whole within the time that the service waits for it."""

    code = "input.too-slow"
    status = 408


class TooManyRequests(InputError):
    """A client asked more than it may in a minute; `Retry-After` says when it may ask again."""

    code = "input.too-many"
    status = 429


class ArtifactError(ProvenanceError):
    """The folder on disk cannot be taken as an artifact."""

    code = "artifact"
    status = 422


class PathMissing(ArtifactError):
    """There is no such file or folder, or it cannot be read."""

    code = "artifact.path-missing"


class UnsafeName(ArtifactError):
    """A name is `..`, absolute, not UTF-8, or holds a NUL or a separator."""

    code = "artifact.unsafe-name"


class NameCollision(ArtifactError):
    """Two names in one folder are the same after NFC or case folding."""

    code = "artifact.name-collision"


class ForeignLink(ArtifactError):
    """A symbolic link that is not one of a Hugging Face cache snapshot into its own blobs."""

    code = "artifact.foreign-link"


class SpecialFile(ArtifactError):
    """A FIFO, socket or device."""

    code = "artifact.special-file"


class CacheFolder(ArtifactError):
    """A model's whole place in a Hugging Face cache was given instead of one of its snapshots."""

    code = "artifact.cache-folder"


class EmptyArtifact(ArtifactError):
    """The folder holds no file."""

    code = "artifact.empty"


class FileChanged(ArtifactError):
    """A file changed while it was read."""

    code = "artifact.file-changed"


class PreflightFailed(ArtifactError):
    """The folder looks incomplete or holds what looks like a secret."""

    code = "artifact.preflight"


class LicenseContradiction(ArtifactError):
    """The folder's LICENSE file, model card or GGUF header names another licence than the one asked for."""

    code = "artifact.license-contradiction"
    status = 409


class InvalidManifest(ArtifactError):
    """A manifest is not canonical, not of the published form, or disagrees with its record or artifact."""

    code = "artifact.manifest-invalid"


class ManifestTooLarge(ArtifactError):
    """A manifest would not fit into one block of 1 MiB."""

    code = "artifact.manifest-too-large"


class InvalidModelFile(ArtifactError):
    """A model file is not one of its format, or has a header that is larger than is read; the message says why."""

    code = "artifact.model-file"


class UnknownModelFormat(InvalidModelFile):
    """A model file is of a version, or has tensors of a type, that this version of the tool does not know."""

    code = "artifact.model-file.unknown-format"


class InvalidModelSignature(ArtifactError):
    """A signature of OpenSSF Model Signing does not hold, is another's, or is over other files than the artifact's."""

    code = "artifact.signature"


class TrainingDataError(ProvenanceError):
    """Training data that is declared, committed to, or proven."""

    code = "training-data"


class InvalidCommitment(TrainingDataError):
    """A commitment or a proof is not of its published form."""

    code = "training-data.commitment"


class InvalidRecord(TrainingDataError):
    """A record is too long, or has no bytes under the normalisation that was asked for; the message says which."""

    code = "training-data.record"


class EmptySet(TrainingDataError):
    """There is no record to commit to."""

    code = "training-data.empty"


class ProofRefused(TrainingDataError):
    """A proof does not hold: of another commitment or record, a path that leads elsewhere, or no neighbours."""

    code = "training-data.proof-refused"
    status = 409


class SetNotKept(TrainingDataError):
    """The leaves of a commitment are not on this machine, or are not those of its root."""

    code = "training-data.not-kept"
    status = 404


class ContentError(ProvenanceError):
    """Blocks, DAGs and the stores that hold them."""

    code = "content"
    unasked = False
    """Whether a source was not asked, since it had failed shortly before, that might have what the others lack."""


class InvalidDag(ContentError):
    """A block does not decode, or a DAG is not one of the profile `unixfs-v1-2025`."""

    code = "content.invalid-dag"
    status = 422


class DirectoryTooLarge(ContentError):
    """An artifact of more files and folders than are published or fetched."""

    code = "content.directory-too-large"
    status = 422


class BlockMismatch(ContentError):
    """A store or gateway gave bytes that do not hash to the CID asked for."""

    code = "content.block-mismatch"
    status = 502


class BlockNotFound(ContentError):
    """None of the stores and gateways asked holds this block."""

    code = "content.not-found"
    status = 404


class NotHeld(ContentError):
    """Content was asked for only if it is held here (`Cache-Control: only-if-cached`), and it is not."""

    code = "content.not-held"
    status = 412


class ContentBlocked(ContentError):
    """The operator does not serve this content: a denylist names it. The records on chain are as they were."""

    code = "content.blocked"
    status = 410


class SourceChanged(BlockNotFound):
    """A file that a store refers to where its publisher has it was changed, moved or removed since."""

    code = "content.not-found.source-changed"
    status = 404


class RootMismatch(ContentError):
    """A store answered with another root than the one computed here."""

    code = "content.root-mismatch"
    status = 502


class StoreUnavailable(ContentError):
    """A store or gateway cannot be reached or failed."""

    code = "content.store-unavailable"
    status = 503


class BlockNotInTime(StoreUnavailable):
    """A store or gateway did not give this block in time, as one that nobody has; others it may give at once."""

    code = "content.store-unavailable.not-in-time"
    status = 504


class StoreFull(ContentError):
    """A store has no room left."""

    code = "content.store-full"
    status = 507


class StoreBusy(ContentError):
    """Something is being put into the store, so that nothing can be removed from it now."""

    code = "content.store-busy"
    status = 409


class StoreDamaged(ContentError):
    """A store lacks what a root that it keeps reaches, or holds it changed."""

    code = "content.store-damaged"


class PartlyKept(ContentError):
    """Of several stores some did what was asked and others did not; the message names these."""

    code = "content.partly-kept"
    status = 502


class PinFailed(ContentError):
    """A pinning service refused or failed to pin, or gave an answer that is not one."""

    code = "content.pin-failed"
    status = 502


class DestinationNotEmpty(ContentError):
    """Files would be written into a folder that is not empty."""

    code = "content.destination-not-empty"
    status = 409


class ChainError(ProvenanceError):
    """The node, the contract, the key."""

    code = "chain"
    status = 502


class RpcUnavailable(ChainError):
    """The node cannot be reached or failed."""

    code = "chain.rpc-unavailable"
    status = 503


class NoQuorum(RpcUnavailable):
    """Fewer nodes than PROVENANCE_RPC_QUORUM asks for say the same of a block."""

    code = "chain.rpc-unavailable.no-quorum"


class RpcRefused(ChainError):
    """The node answered a request with an error; `rpc_code` and `data` are those of its JSON-RPC answer."""

    code = "chain.rpc-refused"


class WrongChain(ChainError):
    """The node is of another chain than the one expected."""

    code = "chain.wrong-chain"


class NoContract(ChainError):
    """There is no registry, or other code, at the address."""

    code = "chain.no-contract"


class NoKey(ChainError):
    """An action needs a key, and none is configured."""

    code = "chain.no-key"
    status = 400


class InvalidKey(ChainError):
    """A key or keystore cannot be read."""

    code = "chain.invalid-key"
    status = 400


class WrongPassword(ChainError):
    """The password does not open the keystore."""

    code = "chain.wrong-password"
    status = 400


class InsufficientFunds(ChainError):
    """The account cannot pay for the transaction."""

    code = "chain.insufficient-funds"
    status = 402


class FeeTooHigh(ChainError):
    """A transaction would cost more than the settings let one cost, by what the node says of fees and gas."""

    code = "chain.fee-too-high"
    status = 402


class TransactionReverted(ChainError):
    """The contract refused; the message says why."""

    code = "chain.reverted"
    status = 409


class TransactionPending(ChainError):
    """A transaction was sent and is not in a block yet."""

    code = "chain.pending"
    status = 504


class VersionTaken(ChainError):
    """This publisher has published this version with other content: a version never changes."""

    code = "chain.version-taken"
    status = 409


class ReleaseNotFound(ChainError):
    """The registry has no such release."""

    code = "chain.release-not-found"
    status = 404


class InvalidRelease(ChainError):
    """A name, version, relation or list of parents that the contract would refuse."""

    code = "chain.invalid-release"
    status = 400


class InvalidLog(ChainError):
    """An event does not decode, or does not lead to the log head that the contract holds."""

    code = "chain.invalid-log"


class NodeBehind(ChainError):
    """The node's newest block is older than one that was final before: it lags, or its chain was begun anew."""

    code = "chain.node-behind"
    status = 503


class InvalidSignature(ChainError):
    """A signed action is malformed, expired, used up, or not signed by the actor it names."""

    code = "chain.invalid-signature"
    status = 400


class NotAuthorised(ChainError):
    """The key may not act for this publisher, or not in this way, or not any more."""

    code = "chain.not-authorised"
    status = 403


class PublisherFrozen(ChainError):
    """The publisher was frozen: no registry takes anything from it again."""

    code = "chain.publisher-frozen"
    status = 409


class DeploymentMismatch(ChainError):
    """What is deployed is not what the sources give."""

    code = "chain.deployment-mismatch"


class StateProofRefused(ChainError):
    """A proof of state (EIP-1186) does not hold under the block hash; `at` says which part of it, the message why."""

    code = "chain.proof-refused"
    status = 400


class StateNotKept(ChainError):
    """The node keeps no state of that block: most keep that of the newest 128 blocks, an archive node of all."""

    code = "chain.state-not-kept"
    status = 404


class RegistryIndexError(ProvenanceError):
    """The database that follows the chain."""

    code = "index"
    status = 503


class IndexUnavailable(RegistryIndexError):
    """The database cannot be opened, holds nothing yet or not of a known chain, or its node was not heard of lately."""

    code = "index.unavailable"


class IndexOutdated(RegistryIndexError):
    """The database was made by another version and must be rebuilt from the chain."""

    code = "index.outdated"


class LogGap(RegistryIndexError):
    """Events are missing: the log head computed from them is not the contract's."""

    code = "index.log-gap"


class RecordNotFound(RegistryIndexError):
    """The index has no such record as of its block."""

    code = "index.not-found"
    status = 404


class BlockNotInChain(RegistryIndexError):
    """The block that an answer was to be of is not one that the index has read, or not in the chain any more, or the
    answer depends on its time, which the index does not remember."""

    code = "index.block-not-in-chain"
    status = 409


class NotAllowed(ProvenanceError):
    """A guard kept files from being loaded: their verdict, which is in the details, is not allow."""

    code = "verdict.not-allowed"
    status = 403


class SetupError(ProvenanceError):
    """Something that the project needs is not installed or did not start."""

    code = "setup"


class FolderInUse(SetupError):
    """Another process works on the same folder; the message names it."""

    code = "setup.folder-in-use"
    status = 409


class ServiceUnavailable(ProvenanceError):
    """The verification service cannot be reached."""

    code = "service.unavailable"
    status = 503


class ServiceBusy(ServiceUnavailable):
    """The service has as much work before it as it takes; a small question is answered all the same."""

    code = "service.unavailable.busy"
