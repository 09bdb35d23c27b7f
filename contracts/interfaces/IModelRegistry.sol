// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAppendOnlyLog} from "./IAppendOnlyLog.sol";
import {IPublisherRegistry} from "./IPublisherRegistry.sol";
import {ISignedActions} from "./ISignedActions.sol";

/// @title Releases of models: who says that these bytes are theirs, under which terms, derived from what
/// @notice Anyone may claim any bytes. A record proves who claimed what and when, never that the claim is true:
/// a reader decides by the publishers it trusts. The publisher acts itself, by a delegate, or by a signature of either
/// that anyone submits; a publisher that is frozen (`IPublisherRegistry`) changes nothing.
/// @dev A reservation is no record and not in the log: all that it does is in the `since` of the record that reveals it.
interface IModelRegistry is IAppendOnlyLog, ISignedActions {
    /// @notice How a release was made from a parent. `None` is refused.
    enum Relation {
        None,
        Finetune,
        ContinuedPretraining,
        Adapter,
        Merge,
        Quantization,
        Pruning,
        Conversion,
        Distillation,
        TrainedOnOutputs,
        PreferenceModel
    }

    /// @notice Active and Deprecated may change into each other; Revoked is terminal.
    enum Status {
        Active,
        Deprecated,
        Revoked
    }

    /// @notice Why a status changed.
    enum Reason {
        Unspecified,
        Superseded,
        Defective,
        Security,
        Licensing,
        TrainingData,
        KeyCompromised,
        Legal,
        Withdrawn
    }

    /// @param releaseId A release of this registry that exists already.
    struct Parent {
        bytes32 releaseId;
        Relation relation;
    }

    /// @param publisher Whose release this is.
    /// @param name 1 to 64 characters of `[a-z0-9._-]`, alphanumeric ends, no two separators in a row.
    /// @param version 1 to 32 characters of the same, and `+`.
    /// @param artifact sha2-256 of the artifact's UnixFS root block: its dag-pb CIDv1 without the prefix.
    /// @param manifest sha2-256 of the manifest's bytes.
    /// @param terms Id of the terms; zero says that none are given, which permits nothing.
    /// @param trainingData sha2-256 of the training-data document; zero says undisclosed.
    /// @param parents Strictly ascending by (releaseId, relation), at most `MAX_PARENTS`.
    struct Release {
        address publisher;
        string name;
        string version;
        bytes32 artifact;
        bytes32 manifest;
        bytes32 terms;
        bytes32 trainingData;
        Parent[] parents;
    }

    /// @notice A release as it was recorded: what `recordHash` commits to.
    /// @param actor Who acted: the publisher or a delegate, also where someone else submitted its signature; for a
    /// promoted release, who anchored it.
    /// @param since When the claim on the artifact counts from, in seconds since the epoch: the timestamp, or that of
    /// the reservation which the release revealed.
    struct Record {
        uint48 seq;
        uint48 timestamp;
        address actor;
        uint48 since;
        Release release;
    }

    /// @notice A release whose members of variable length are given as EIP-712 hashes them: it has the same
    /// hashStruct, and one size. `name` and `version` are the keccak-256 of their bytes, `parents` that of their
    /// concatenated hashStructs.
    struct HashedRelease {
        address publisher;
        bytes32 name;
        bytes32 version;
        bytes32 artifact;
        bytes32 manifest;
        bytes32 terms;
        bytes32 trainingData;
        bytes32 parents;
    }

    /// @notice A record with its release hashed so; it has the record's hash.
    struct HashedRecord {
        uint48 seq;
        uint48 timestamp;
        address actor;
        uint48 since;
        HashedRelease release;
    }

    /// @notice A change of status as a publisher asks for it.
    /// @param detail sha2-256 of a document that explains it, or zero.
    /// @param successorName, successorVersion Another release of the same publisher that takes this one's place,
    /// or both empty. Must be empty for `Active`.
    struct StatusUpdate {
        address publisher;
        string name;
        string version;
        Status status;
        Reason reason;
        bytes32 detail;
        string successorName;
        string successorVersion;
    }

    /// @notice A change of status as it was recorded. `successor` is zero if there is none.
    struct StatusRecord {
        uint48 seq;
        uint48 timestamp;
        address publisher;
        address actor;
        bytes32 releaseId;
        Status status;
        Reason reason;
        bytes32 detail;
        bytes32 successor;
    }

    /// @notice Many releases under one Merkle root (RFC 9162, section 2.1, over keccak-256): leaf i is
    /// keccak256(0x00 ++ hashStruct(release i)), a node keccak256(0x01 ++ left ++ right).
    /// @param publisher Whose releases these are. A leaf that names another publisher is nobody's.
    /// @param root The root of the tree.
    /// @param count How many leaves it has; never zero.
    /// @param list sha2-256 of the UnixFS root block of the list of releases: its dag-pb CIDv1 without the prefix.
    struct Anchor {
        address publisher;
        bytes32 root;
        uint64 count;
        bytes32 list;
    }

    struct AnchorRecord {
        uint48 seq;
        uint48 timestamp;
        address publisher;
        address actor;
        bytes32 root;
        uint64 count;
        bytes32 list;
    }

    struct WithdrawalRecord {
        uint48 seq;
        uint48 timestamp;
        address publisher;
        address actor;
        bytes32 anchorId;
    }

    /// @notice An anchor in storage, all zero if there is none.
    /// @param actor Who anchored: the publisher or a delegate.
    /// @param withdrawnAt When the publisher took it back, or zero. Releases promoted before stay.
    struct AnchorEntry {
        address actor;
        uint48 seq;
        uint48 since;
        uint48 withdrawnAt;
    }

    /// @notice The earliest claim on an artifact.
    struct Claim {
        address publisher;
        uint48 seq;
        uint48 since;
    }

    /// @notice The status of a release; `seq` and `since` are zero while it never changed.
    struct StatusEntry {
        Status status;
        Reason reason;
        uint48 seq;
        uint48 since;
    }

    /// @notice A release was published. What is not indexed are the members of its `Record`, from which its record
    /// hash is computed; `publisher` and `artifact` are the release's.
    event ReleasePublished(
        bytes32 indexed releaseId,
        address indexed publisher,
        bytes32 indexed artifact,
        uint48 seq,
        uint48 timestamp,
        address actor,
        uint48 since,
        Release release
    );

    /// @notice The status of a release changed; `record` is all that its record hash is computed from.
    event StatusChanged(bytes32 indexed releaseId, address indexed publisher, StatusRecord record);

    /// @notice A reservation was made. It says nothing of whom or what it is for until a release reveals it.
    event Reserved(bytes32 indexed commitment, uint48 since);

    /// @notice Releases were anchored; `record` is all that its record hash is computed from.
    event Anchored(bytes32 indexed anchorId, address indexed publisher, AnchorRecord record);

    /// @notice An anchor was taken back; `record` is all that its record hash is computed from.
    event AnchorWithdrawn(bytes32 indexed anchorId, address indexed publisher, WithdrawalRecord record);

    /// @notice The release with this sequence number came from an anchor. Beside `ReleasePublished`; no record of its own.
    event ReleasePromoted(bytes32 indexed releaseId, bytes32 indexed anchorId, uint48 seq, uint64 index);

    /// @notice The name is not 1 to 64 characters of the permitted form.
    error InvalidName();
    /// @notice The version is not 1 to 32 characters of the permitted form.
    error InvalidVersion();
    /// @notice An artifact digest of zero is no artifact.
    error ZeroArtifact();
    /// @notice A manifest digest of zero is no manifest.
    error ZeroManifest();
    /// @notice A published version never changes.
    error VersionExists(bytes32 releaseId);
    /// @notice No release has this id, so it has no status and can be nobody's parent or successor.
    error UnknownRelease(bytes32 releaseId);
    /// @notice A parent was given with the relation `None`.
    error InvalidRelation(bytes32 parent);
    /// @notice Parents are not strictly ascending by (releaseId, relation).
    error ParentsNotSorted();
    /// @notice More than `MAX_PARENTS` parents.
    error TooManyParents();
    /// @notice The status given is the one that it has.
    error StatusUnchanged();
    /// @notice Revoked is terminal.
    error ReleaseRevoked(bytes32 releaseId);
    /// @notice The successor is the release itself, does not exist, or was given with `Active`.
    error InvalidSuccessor(bytes32 successor);
    /// @notice The record given is not the one that the registry holds.
    error RecordMismatch(bytes32 releaseId);

    /// @notice Nothing was reserved under this commitment.
    error UnknownReservation(bytes32 commitment);
    /// @notice A reservation counts from the next timestamp on.
    error ReservationTooNew(bytes32 commitment);
    /// @notice A reservation is valid for `RESERVATION_PERIOD`.
    error ReservationExpired(bytes32 commitment);
    /// @notice An anchor has at least one leaf, a root and a list.
    error EmptyAnchor();
    /// @notice This anchor is there already.
    error AnchorExists(bytes32 anchorId);
    /// @notice No anchor has this id.
    error UnknownAnchor(bytes32 anchorId);
    /// @notice The publisher took the anchor back.
    error WithdrawnAnchor(bytes32 anchorId);
    /// @notice The release is not this leaf of the anchor, or is another publisher's.
    error NotInAnchor(bytes32 anchorId);

    /// @notice Publishes a release of the caller's, or of a publisher whose delegate (scope 1) the caller is.
    /// @param salt Of a reservation that the release reveals, or zero. It moves the claim's `since` back to the
    /// reservation, ahead of whoever copied the pending transaction.
    /// @return releaseId `releaseIdOf(release.publisher, release.name, release.version)`.
    function publish(Release calldata release, bytes32 salt) external returns (bytes32 releaseId);

    /// @notice The same, signed by `signed.actor`:
    /// `Publish(address actor,Release release,bytes32 salt,uint256 deadline)`.
    function publishWithSignature(
        Release calldata release,
        bytes32 salt,
        Signed calldata signed
    ) external returns (bytes32 releaseId);

    /// @notice Changes the status of a release of the caller's, or of a publisher whose delegate (scope 2) it is.
    function setStatus(StatusUpdate calldata update) external;

    /// @notice The same, signed by `signed.actor`:
    /// `SetStatus(address actor,StatusUpdate update,uint256 nonce,uint256 deadline)`.
    function setStatusWithSignature(StatusUpdate calldata update, uint256 nonce, Signed calldata signed) external;

    /// @notice Notes the time of a commitment (`reservationOf`), for whoever can reveal it. The earliest time stays.
    function reserve(bytes32 commitment) external;

    /// @notice Anchors releases of the caller's, or of a publisher whose delegate (scope 1) it is. An anchored release
    /// is not a full record: it claims nothing first and has no status until it is promoted.
    function publishAnchor(Anchor calldata anchor) external returns (bytes32 anchorId);

    /// @notice The same, signed by `signed.actor`: `PublishAnchor(address actor,Anchor anchor,uint256 deadline)`.
    function publishAnchorWithSignature(
        Anchor calldata anchor,
        Signed calldata signed
    ) external returns (bytes32 anchorId);

    /// @notice Takes an anchor back (scope 2): none of its releases counts any more unless it was promoted before.
    function withdrawAnchor(Anchor calldata anchor) external;

    /// @notice The same, signed by `signed.actor`:
    /// `WithdrawAnchor(address actor,Anchor anchor,uint256 nonce,uint256 deadline)`.
    function withdrawAnchorWithSignature(Anchor calldata anchor, uint256 nonce, Signed calldata signed) external;

    /// @notice Makes an anchored release a full record; anyone may. Its claim counts from now.
    /// Reverts where publishing would, and with what `verifyAnchored` reverts with.
    function promote(
        Anchor calldata anchor,
        uint64 index,
        bytes32[] calldata proof,
        Release calldata release
    ) external returns (bytes32 releaseId);

    /// @notice The most parents that a release may name.
    function MAX_PARENTS() external view returns (uint256);

    /// @notice How long a reservation can be revealed: 24 hours, in seconds. A first claim is final after that.
    function RESERVATION_PERIOD() external view returns (uint48);

    /// @notice Who may act for whom.
    function publisherRegistry() external view returns (IPublisherRegistry);

    /// @notice The id of a release, known before it is published. It binds chain, contract, publisher, name and version.
    function releaseIdOf(
        address publisher,
        string calldata name,
        string calldata version
    ) external view returns (bytes32);

    /// @notice The hash of the record of a release, or zero if there is none (one storage slot).
    function recordHashOf(bytes32 releaseId) external view returns (bytes32);

    /// @notice The earliest claim on an artifact, all zero if there is none.
    /// @dev NEVER an authorisation: anyone may claim bytes that are not theirs, also first. It orders what is shown
    /// and decides nothing.
    function firstClaim(bytes32 artifact) external view returns (Claim memory);

    /// @notice When a commitment was reserved, or zero.
    function reservedAt(bytes32 commitment) external view returns (uint48);

    /// @notice The commitment to reserve for a release of `publisher` with this artifact.
    /// @param salt 32 random bytes, kept secret until the release reveals them; never zero.
    function reservationOf(address publisher, bytes32 artifact, bytes32 salt) external view returns (bytes32);

    /// @notice The id of an anchor. It binds chain, contract and all that the anchor says.
    function anchorIdOf(Anchor calldata anchor) external view returns (bytes32);

    /// @notice An anchor in storage.
    function anchorOf(bytes32 anchorId) external view returns (AnchorEntry memory);

    /// @notice Reverts with `UnknownAnchor`, `WithdrawnAnchor` or `NotInAnchor` unless the release is leaf `index` of an
    /// anchor of its own publisher. The caller must compare the publisher with one it trusts, and may ask
    /// `IPublisherRegistry.trustedUntil` about `since`.
    /// @param proof The inclusion proof of RFC 9162, section 2.1.3, from the leaf up.
    function verifyAnchored(
        Anchor calldata anchor,
        uint64 index,
        bytes32[] calldata proof,
        Release calldata release
    ) external view returns (AnchorEntry memory);

    /// @notice Record hash and status of a release in one call, for contracts that hash the record themselves.
    /// A record hash of zero says that there is none, and then the status says nothing.
    function recordStateOf(bytes32 releaseId) external view returns (bytes32 recordHash, Status status);

    /// @notice The status of a release. Reverts with `UnknownRelease` if there is none: absence is not Active.
    function statusOf(bytes32 releaseId) external view returns (StatusEntry memory);

    /// @notice What a contract may rely on about a release that it was given as calldata.
    /// Reverts with `RecordMismatch` unless it is exactly the record held here.
    /// The caller must compare `publisher` with one it trusts and `terms` with one it accepts.
    function verifyRecord(
        Record calldata record
    ) external view returns (bytes32 releaseId, address publisher, bytes32 artifact, bytes32 terms, Status status);
}
