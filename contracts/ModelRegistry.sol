// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IPublisherRegistry} from "./interfaces/IPublisherRegistry.sol";
import {Releases} from "./libraries/Releases.sol";
import {Anchors} from "./models/Anchors.sol";
import {ReleaseRecords} from "./models/ReleaseRecords.sol";

/// @title Releases of models
/// @dev Storage (proofs rely on it; a test asserts it against the compiler's layout):
///   slot 0  head              bytes32
///   slot 1  size              uint48
///   slot 1  deployedAt        uint48
///   slot 2  _nameFallback     string
///   slot 3  _versionFallback  string
///   slot 4  _usedNonces       mapping(address actor => mapping(uint256 word => uint256 bits))
///   slot 5  recordHashOf      mapping(bytes32 releaseId => bytes32 recordHash)
///   slot 6  _firstClaim       mapping(bytes32 artifact => Claim)
///   slot 7  reservedAt        mapping(bytes32 commitment => uint48 since)
///   slot 8  _anchorOf         mapping(bytes32 anchorId => AnchorEntry)
///   slot 9  _statusOf         mapping(bytes32 releaseId => StatusEntry)
///
/// Words that hold several fields, from the lowest bit on, with widths in bits:
/// slot 1       | size 48 | deployedAt 48 |             never zero, so that the first append pays as every other
/// Claim        | publisher 160 | seq 48 | since 48 |
/// StatusEntry  | status 8 | reason 8 | seq 48 | since 48 |      no slot = Active
/// AnchorEntry  | actor 160 | seq 48 | since 48 |       and a second word | withdrawnAt 48 |
contract ModelRegistry is IModelRegistry, Anchors {
    bytes32 internal constant PUBLISH_TYPEHASH = keccak256(
        "Publish(address actor,Release release,bytes32 salt,uint256 deadline)Parent(bytes32 releaseId,uint8 relation)Release(address publisher,string name,string version,bytes32 artifact,bytes32 manifest,bytes32 terms,bytes32 trainingData,Parent[] parents)"
    );
    bytes32 internal constant STATUS_UPDATE_TYPEHASH = keccak256(
        "StatusUpdate(address publisher,string name,string version,uint8 status,uint8 reason,bytes32 detail,string successorName,string successorVersion)"
    );
    bytes32 internal constant SET_STATUS_TYPEHASH = keccak256(
        "SetStatus(address actor,StatusUpdate update,uint256 nonce,uint256 deadline)StatusUpdate(address publisher,string name,string version,uint8 status,uint8 reason,bytes32 detail,string successorName,string successorVersion)"
    );
    bytes32 internal constant STATUS_RECORD_TYPEHASH = keccak256(
        "StatusRecord(uint48 seq,uint48 timestamp,address publisher,address actor,bytes32 releaseId,uint8 status,uint8 reason,bytes32 detail,bytes32 successor)"
    );

    mapping(bytes32 releaseId => StatusEntry entry) private _statusOf;

    constructor(IPublisherRegistry publishers) EIP712("ModelRegistry", "1") ReleaseRecords(publishers) {}

    /// @inheritdoc IModelRegistry
    function publish(Release calldata release, bytes32 salt) external override returns (bytes32) {
        return _publish(release, Releases.hash(release), salt, msg.sender);
    }

    /// @inheritdoc IModelRegistry
    function publishWithSignature(
        Release calldata release,
        bytes32 salt,
        Signed calldata signed
    ) external override returns (bytes32) {
        bytes32 releaseHash = Releases.hash(release);
        _checkSignature(
            signed,
            keccak256(abi.encode(PUBLISH_TYPEHASH, signed.actor, releaseHash, salt, signed.deadline))
        );
        return _publish(release, releaseHash, salt, signed.actor);
    }

    /// @inheritdoc IModelRegistry
    function setStatus(StatusUpdate calldata update) external override {
        _setStatus(update, msg.sender);
    }

    /// @inheritdoc IModelRegistry
    function setStatusWithSignature(
        StatusUpdate calldata update,
        uint256 nonce,
        Signed calldata signed
    ) external override {
        bytes32 updateHash = keccak256(
            abi.encode(
                STATUS_UPDATE_TYPEHASH,
                update.publisher,
                keccak256(bytes(update.name)),
                keccak256(bytes(update.version)),
                update.status,
                update.reason,
                update.detail,
                keccak256(bytes(update.successorName)),
                keccak256(bytes(update.successorVersion))
            )
        );
        _checkSignature(
            signed,
            nonce,
            keccak256(abi.encode(SET_STATUS_TYPEHASH, signed.actor, updateHash, nonce, signed.deadline))
        );
        _setStatus(update, signed.actor);
    }

    /// @inheritdoc IModelRegistry
    function statusOf(bytes32 releaseId) external view override returns (StatusEntry memory) {
        if (recordHashOf[releaseId] == 0) revert UnknownRelease(releaseId);
        return _statusOf[releaseId];
    }

    /// @inheritdoc IModelRegistry
    function stateOf(bytes32 releaseId) external view override returns (bytes32, Status) {
        return (recordHashOf[releaseId], _statusOf[releaseId].status);
    }

    /// @inheritdoc IModelRegistry
    function verifyRecord(
        Record calldata record
    )
        external
        view
        override
        returns (bytes32 releaseId, address publisher, bytes32 artifact, bytes32 terms, Status status)
    {
        publisher = record.release.publisher;
        artifact = record.release.artifact;
        terms = record.release.terms;
        releaseId = releaseIdOf(publisher, record.release.name, record.release.version);
        if (recordHashOf[releaseId] != Releases.hash(record)) revert RecordMismatch(releaseId);
        status = _statusOf[releaseId].status;
    }

    function _publish(
        Release calldata release,
        bytes32 releaseHash,
        bytes32 salt,
        address actor
    ) private returns (bytes32 releaseId) {
        publisherRegistry.checkAuthority(release.publisher, actor, SCOPE_PUBLISH);
        uint48 since = salt == 0 ? uint48(block.timestamp) : _reveal(release, salt);
        (releaseId, ) = _record(release, releaseHash, actor, since);
    }

    function _setStatus(StatusUpdate calldata update, address actor) private {
        publisherRegistry.checkAuthority(update.publisher, actor, SCOPE_STATUS);
        bytes32 releaseId = releaseIdOf(update.publisher, update.name, update.version);
        if (recordHashOf[releaseId] == 0) revert UnknownRelease(releaseId);
        Status current = _statusOf[releaseId].status;
        if (current == Status.Revoked) revert ReleaseRevoked(releaseId);
        if (current == update.status) revert StatusUnchanged();

        StatusRecord memory record = StatusRecord(
            size,
            uint48(block.timestamp),
            update.publisher,
            actor,
            releaseId,
            update.status,
            update.reason,
            update.detail,
            _successor(releaseId, update)
        );
        _statusOf[releaseId] = StatusEntry(record.status, record.reason, record.seq, record.timestamp);
        _append(record.seq, keccak256(abi.encode(STATUS_RECORD_TYPEHASH, record)));
        emit StatusChanged(releaseId, record.publisher, record);
    }

    /// @dev The successor is named, not given by id, so that it can only be the same publisher's.
    function _successor(bytes32 releaseId, StatusUpdate calldata update) private view returns (bytes32 successor) {
        if (bytes(update.successorName).length == 0 && bytes(update.successorVersion).length == 0) return 0;
        successor = releaseIdOf(update.publisher, update.successorName, update.successorVersion);
        if (update.status == Status.Active || successor == releaseId || recordHashOf[successor] == 0) {
            revert InvalidSuccessor(successor);
        }
    }
}
