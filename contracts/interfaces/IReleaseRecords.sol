// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAppendOnlyLog} from "./IAppendOnlyLog.sol";
import {IPublisherRegistry} from "./IPublisherRegistry.sol";
import {ISignedActions} from "./ISignedActions.sol";

/// @title Releases as they are recorded, their claims on artifacts, and reservations
/// @dev A reservation is no record and not in the log: all that it does is in the `since` of the record that reveals it.
interface IReleaseRecords is IAppendOnlyLog, ISignedActions {
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

    /// @notice The earliest claim on an artifact.
    struct Claim {
        address publisher;
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

    /// @notice A reservation was made. It says nothing of whom or what it is for until a release reveals it.
    event Reserved(bytes32 indexed commitment, uint48 since);

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

    /// @notice Nothing was reserved under this commitment.
    error UnknownReservation(bytes32 commitment);

    /// @notice A reservation counts from the next timestamp on.
    error ReservationTooNew(bytes32 commitment);

    /// @notice A reservation is valid for `RESERVATION_PERIOD`.
    error ReservationExpired(bytes32 commitment);

    /// @notice Notes the time of a commitment (`reservationOf`), for whoever can reveal it. The earliest time stays.
    function reserve(bytes32 commitment) external;

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
}
