// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AppendOnlyLog} from "./AppendOnlyLog.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";

/// @title Releases of models
/// @dev Storage (proofs rely on it; a test asserts it against the compiler's layout):
///   slot 0  head          bytes32
///   slot 1  size          uint48
///   slot 1  deployedAt    uint48
///   slot 2  recordHashOf  mapping(bytes32 releaseId => bytes32 recordHash)
///   slot 3  _firstClaim   mapping(bytes32 artifact => Claim)
///   slot 4  _statusOf     mapping(bytes32 releaseId => StatusEntry)
///
/// Words that hold several fields, from the lowest bit on, with widths in bits:
/// slot 1       | size 48 | deployedAt 48 |             never zero, so that the first append pays as every other
/// Claim        | publisher 160 | seq 48 | since 48 |
/// StatusEntry  | status 8 | reason 8 | seq 48 | since 48 |      no slot = Active
contract ModelRegistry is IModelRegistry, AppendOnlyLog {
    bytes32 internal constant RELEASE_ID_TYPEHASH = keccak256(
        "ReleaseId(uint256 chainId,address registry,address publisher,string name,string version)"
    );
    // EIP-712 struct types: a record hash is the hashStruct of its record.
    bytes32 internal constant PARENT_TYPEHASH = keccak256("Parent(bytes32 releaseId,uint8 relation)");
    bytes32 internal constant RELEASE_TYPEHASH = keccak256(
        "Release(address publisher,string name,string version,bytes32 artifact,bytes32 manifest,bytes32 terms,bytes32 trainingData,Parent[] parents)Parent(bytes32 releaseId,uint8 relation)"
    );
    bytes32 internal constant RECORD_TYPEHASH = keccak256(
        "Record(uint48 seq,uint48 timestamp,address actor,uint48 since,Release release)Parent(bytes32 releaseId,uint8 relation)Release(address publisher,string name,string version,bytes32 artifact,bytes32 manifest,bytes32 terms,bytes32 trainingData,Parent[] parents)"
    );
    bytes32 internal constant STATUS_RECORD_TYPEHASH = keccak256(
        "StatusRecord(uint48 seq,uint48 timestamp,address publisher,address actor,bytes32 releaseId,uint8 status,uint8 reason,bytes32 detail,bytes32 successor)"
    );

    /// @inheritdoc IModelRegistry
    uint256 public constant override MAX_PARENTS = 64;

    uint256 private constant MAX_NAME = 64;
    uint256 private constant MAX_VERSION = 32;
    // Bit c is set when the ASCII character c is in the class.
    uint256 private constant ALPHANUMERIC = (0x3ff << 0x30) | (0x3ffffff << 0x61);
    uint256 private constant SEPARATORS = (1 << 0x2e) | (1 << 0x5f) | (1 << 0x2d);
    uint256 private constant PLUS = 1 << 0x2b;

    /// @inheritdoc IModelRegistry
    mapping(bytes32 releaseId => bytes32 recordHash) public override recordHashOf;
    mapping(bytes32 artifact => Claim claim) private _firstClaim;
    mapping(bytes32 releaseId => StatusEntry entry) private _statusOf;

    /// @inheritdoc IModelRegistry
    function publish(Release calldata release) external override returns (bytes32 releaseId) {
        if (release.publisher != msg.sender) revert NotPublisher(release.publisher, msg.sender);
        if (!_wellFormed(bytes(release.name), MAX_NAME, SEPARATORS)) revert InvalidName();
        if (!_wellFormed(bytes(release.version), MAX_VERSION, SEPARATORS | PLUS)) revert InvalidVersion();
        if (release.artifact == 0) revert ZeroArtifact();
        if (release.manifest == 0) revert ZeroManifest();
        _checkParents(release.parents);

        releaseId = releaseIdOf(release.publisher, release.name, release.version);
        if (recordHashOf[releaseId] != 0) revert VersionExists(releaseId);

        uint48 timestamp = uint48(block.timestamp);
        Record memory record = Record(size, timestamp, msg.sender, timestamp, release);
        bytes32 recordHash = _hash(record);
        recordHashOf[releaseId] = recordHash;
        _claim(record);
        _append(record.seq, recordHash);
        emit ReleasePublished(releaseId, release.publisher, release.artifact, record);
    }

    /// @inheritdoc IModelRegistry
    function setStatus(StatusUpdate calldata update) external override {
        if (update.publisher != msg.sender) revert NotPublisher(update.publisher, msg.sender);
        bytes32 releaseId = releaseIdOf(update.publisher, update.name, update.version);
        if (recordHashOf[releaseId] == 0) revert UnknownRelease(releaseId);
        Status current = _statusOf[releaseId].status;
        if (current == Status.Revoked) revert ReleaseRevoked(releaseId);
        if (current == update.status) revert StatusUnchanged();

        StatusRecord memory record = StatusRecord(
            size,
            uint48(block.timestamp),
            update.publisher,
            msg.sender,
            releaseId,
            update.status,
            update.reason,
            update.detail,
            _successor(releaseId, update)
        );
        _statusOf[releaseId] = StatusEntry(record.status, record.reason, record.seq, record.timestamp);
        _append(record.seq, _hash(record));
        emit StatusChanged(releaseId, record.publisher, record);
    }

    /// @inheritdoc IModelRegistry
    function firstClaim(bytes32 artifact) external view override returns (Claim memory) {
        return _firstClaim[artifact];
    }

    /// @inheritdoc IModelRegistry
    function statusOf(bytes32 releaseId) external view override returns (StatusEntry memory) {
        if (recordHashOf[releaseId] == 0) revert UnknownRelease(releaseId);
        return _statusOf[releaseId];
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
        if (recordHashOf[releaseId] != _hash(record)) revert RecordMismatch(releaseId);
        status = _statusOf[releaseId].status;
    }

    /// @inheritdoc IModelRegistry
    function releaseIdOf(
        address publisher,
        string calldata name,
        string calldata version
    ) public view override returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    RELEASE_ID_TYPEHASH,
                    block.chainid,
                    address(this),
                    publisher,
                    keccak256(bytes(name)),
                    keccak256(bytes(version))
                )
            );
    }

    /// @dev A later claim with an earlier `since` displaces the first; an equal one does not.
    function _claim(Record memory record) private {
        bytes32 artifact = record.release.artifact;
        Claim storage first = _firstClaim[artifact];
        if (first.publisher == address(0) || record.since < first.since) {
            _firstClaim[artifact] = Claim(record.release.publisher, record.seq, record.since);
        }
    }

    /// @dev Parents exist already, so the graph has no cycle; strict order leaves no duplicates.
    function _checkParents(Parent[] calldata parents) private view {
        if (parents.length > MAX_PARENTS) revert TooManyParents();
        for (uint256 i; i < parents.length; ++i) {
            bytes32 parent = parents[i].releaseId;
            Relation relation = parents[i].relation;
            if (recordHashOf[parent] == 0) revert UnknownRelease(parent);
            if (relation == Relation.None) revert InvalidRelation(parent);
            if (i == 0) continue;
            bytes32 previous = parents[i - 1].releaseId;
            if (parent < previous || (parent == previous && relation <= parents[i - 1].relation)) {
                revert ParentsNotSorted();
            }
        }
    }

    /// @dev The successor is named, not given by id, so that it can only be the same publisher's.
    function _successor(bytes32 releaseId, StatusUpdate calldata update) private view returns (bytes32 successor) {
        if (bytes(update.successorName).length == 0 && bytes(update.successorVersion).length == 0) return 0;
        successor = releaseIdOf(update.publisher, update.successorName, update.successorVersion);
        if (update.status == Status.Active || successor == releaseId || recordHashOf[successor] == 0) {
            revert InvalidSuccessor(successor);
        }
    }

    function _hash(Record memory record) private pure returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    RECORD_TYPEHASH,
                    record.seq,
                    record.timestamp,
                    record.actor,
                    record.since,
                    _hash(record.release)
                )
            );
    }

    function _hash(Release memory release) private pure returns (bytes32) {
        bytes32[] memory parents = new bytes32[](release.parents.length);
        for (uint256 i; i < parents.length; ++i) {
            parents[i] = keccak256(
                abi.encode(PARENT_TYPEHASH, release.parents[i].releaseId, release.parents[i].relation)
            );
        }
        return
            keccak256(
                abi.encode(
                    RELEASE_TYPEHASH,
                    release.publisher,
                    keccak256(bytes(release.name)),
                    keccak256(bytes(release.version)),
                    release.artifact,
                    release.manifest,
                    release.terms,
                    release.trainingData,
                    keccak256(abi.encodePacked(parents))
                )
            );
    }

    function _hash(StatusRecord memory record) private pure returns (bytes32) {
        // Every member is static, so that the encoding of the struct is the concatenation that EIP-712 asks for.
        return keccak256(abi.encode(STATUS_RECORD_TYPEHASH, record));
    }

    function _wellFormed(bytes calldata text, uint256 longest, uint256 separators) private pure returns (bool) {
        if (text.length == 0 || text.length > longest) return false;
        bool separated = true;
        for (uint256 i; i < text.length; ++i) {
            uint256 bit = 1 << uint8(text[i]);
            if (bit & ALPHANUMERIC != 0) separated = false;
            else if (bit & separators == 0 || separated) return false;
            else separated = true;
        }
        return !separated;
    }
}
