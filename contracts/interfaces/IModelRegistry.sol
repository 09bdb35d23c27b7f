// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAnchors} from "./IAnchors.sol";

/// @title Releases of models: who says that these bytes are theirs, under which terms, derived from what
/// @notice Anyone may claim any bytes. A record proves who claimed what and when, never that the claim is true:
/// a reader decides by the publishers it trusts. The publisher acts itself, by a delegate, or by a signature of either
/// that anyone submits; a publisher that is frozen (`IPublisherRegistry`) changes nothing.
interface IModelRegistry is IAnchors {
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

    /// @notice The status of a release; `seq` and `since` are zero while it never changed.
    struct StatusEntry {
        Status status;
        Reason reason;
        uint48 seq;
        uint48 since;
    }

    /// @notice The status of a release changed; `record` is all that its record hash is computed from.
    event StatusChanged(bytes32 indexed releaseId, address indexed publisher, StatusRecord record);

    /// @notice The status given is the one that it has.
    error StatusUnchanged();

    /// @notice Revoked is terminal.
    error ReleaseRevoked(bytes32 releaseId);

    /// @notice The successor is the release itself, does not exist, or was given with `Active`.
    error InvalidSuccessor(bytes32 successor);

    /// @notice The record given is not the one that the registry holds.
    error RecordMismatch(bytes32 releaseId);

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

    /// @notice Record hash and status of a release in one call, for contracts that hash the record themselves.
    /// A record hash of zero says that there is none, and then the status says nothing.
    function stateOf(bytes32 releaseId) external view returns (bytes32 recordHash, Status status);

    /// @notice The status of a release. Reverts with `UnknownRelease` if there is none: absence is not Active.
    function statusOf(bytes32 releaseId) external view returns (StatusEntry memory);

    /// @notice What a contract may rely on about a release that it was given as calldata.
    /// Reverts with `RecordMismatch` unless it is exactly the record held here.
    /// The caller must compare `publisher` with one it trusts and `terms` with one it accepts.
    function verifyRecord(
        Record calldata record
    ) external view returns (bytes32 releaseId, address publisher, bytes32 artifact, bytes32 terms, Status status);
}
