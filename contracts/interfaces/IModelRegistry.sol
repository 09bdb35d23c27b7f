// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAppendOnlyLog} from "./IAppendOnlyLog.sol";

/// @title Releases of models: who says that these bytes are theirs, under which terms, derived from what
/// @notice Anyone may claim any bytes. A record proves who claimed what and when, never that the claim is true:
/// a reader decides by the publishers it trusts.
interface IModelRegistry is IAppendOnlyLog {
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
    /// @param actor Who acted: the publisher (a delegate or signer where the registry admits them).
    /// @param since When the claim on the artifact counts from, in seconds since the epoch.
    struct Record {
        uint48 seq;
        uint48 timestamp;
        address actor;
        uint48 since;
        Release release;
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

    /// @notice A release was published; `record` is all that its record hash is computed from.
    event ReleasePublished(
        bytes32 indexed releaseId,
        address indexed publisher,
        bytes32 indexed artifact,
        Record record
    );

    /// @notice The status of a release changed; `record` is all that its record hash is computed from.
    event StatusChanged(bytes32 indexed releaseId, address indexed publisher, StatusRecord record);

    /// @notice The caller may not act for this publisher.
    error NotPublisher(address publisher, address caller);
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

    /// @notice Publishes a release of the caller's.
    /// @return releaseId `releaseIdOf(release.publisher, release.name, release.version)`.
    function publish(Release calldata release) external returns (bytes32 releaseId);

    /// @notice Changes the status of a release of the caller's.
    function setStatus(StatusUpdate calldata update) external;

    /// @notice The most parents that a release may name.
    function MAX_PARENTS() external view returns (uint256);

    /// @notice The id of a release, known before it is published. It binds chain, contract, publisher, name and version.
    function releaseIdOf(
        address publisher,
        string calldata name,
        string calldata version
    ) external view returns (bytes32);

    /// @notice The hash of the record of a release, or zero if there is none (storage slot 2, a mapping).
    function recordHashOf(bytes32 releaseId) external view returns (bytes32);

    /// @notice The earliest claim on an artifact, all zero if there is none.
    /// @dev NEVER an authorisation: anyone may claim bytes that are not theirs, also first. It orders what is shown
    /// and decides nothing.
    function firstClaim(bytes32 artifact) external view returns (Claim memory);

    /// @notice The status of a release. Reverts with `UnknownRelease` if there is none: absence is not Active.
    function statusOf(bytes32 releaseId) external view returns (StatusEntry memory);

    /// @notice What a contract may rely on about a release that it was given as calldata.
    /// Reverts with `RecordMismatch` unless it is exactly the record held here.
    /// The caller must compare `publisher` with one it trusts and `terms` with one it accepts.
    function verifyRecord(
        Record calldata record
    ) external view returns (bytes32 releaseId, address publisher, bytes32 artifact, bytes32 terms, Status status);
}
