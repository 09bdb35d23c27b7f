// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AppendOnlyLog} from "../AppendOnlyLog.sol";
import {SignedActions} from "../SignedActions.sol";
import {IPublisherRegistry} from "../interfaces/IPublisherRegistry.sol";
import {IReleaseRecords} from "../interfaces/IReleaseRecords.sol";
import {Releases} from "../libraries/Releases.sol";

/// @title The records of releases: what is checked before one is made, its claim on the artifact, reservations
abstract contract ReleaseRecords is IReleaseRecords, AppendOnlyLog, SignedActions {
    bytes32 internal constant RESERVATION_TYPEHASH = keccak256(
        "Reservation(uint256 chainId,address registry,address publisher,bytes32 artifact,bytes32 salt)"
    );

    /// @inheritdoc IReleaseRecords
    uint256 public constant override MAX_PARENTS = 64;
    /// @inheritdoc IReleaseRecords
    uint48 public constant override RESERVATION_PERIOD = 24 hours;

    uint8 internal constant SCOPE_PUBLISH = 1;
    uint8 internal constant SCOPE_STATUS = 2;

    /// @inheritdoc IReleaseRecords
    IPublisherRegistry public immutable override publisherRegistry;

    /// @inheritdoc IReleaseRecords
    mapping(bytes32 releaseId => bytes32 recordHash) public override recordHashOf;
    mapping(bytes32 artifact => Claim claim) private _firstClaim;
    /// @inheritdoc IReleaseRecords
    mapping(bytes32 commitment => uint48 since) public override reservedAt;

    constructor(IPublisherRegistry publishers) {
        publisherRegistry = publishers;
    }

    /// @inheritdoc IReleaseRecords
    function reserve(bytes32 commitment) external override {
        if (reservedAt[commitment] != 0) return;
        reservedAt[commitment] = uint48(block.timestamp);
        emit Reserved(commitment, uint48(block.timestamp));
    }

    /// @inheritdoc IReleaseRecords
    function firstClaim(bytes32 artifact) external view override returns (Claim memory) {
        return _firstClaim[artifact];
    }

    /// @inheritdoc IReleaseRecords
    function releaseIdOf(
        address publisher,
        string calldata name,
        string calldata version
    ) public view override returns (bytes32) {
        return Releases.idOf(address(this), publisher, name, version);
    }

    /// @inheritdoc IReleaseRecords
    function reservationOf(address publisher, bytes32 artifact, bytes32 salt) public view override returns (bytes32) {
        return keccak256(abi.encode(RESERVATION_TYPEHASH, block.chainid, address(this), publisher, artifact, salt));
    }

    function _record(
        Release calldata release,
        bytes32 releaseHash,
        address actor,
        uint48 since
    ) internal returns (bytes32 releaseId, uint48 seq) {
        Releases.check(release);
        _checkParents(release.parents);
        releaseId = releaseIdOf(release.publisher, release.name, release.version);
        if (recordHashOf[releaseId] != 0) revert VersionExists(releaseId);

        seq = size;
        uint48 timestamp = uint48(block.timestamp);
        bytes32 recordHash = Releases.hashRecord(seq, timestamp, actor, since, releaseHash);
        recordHashOf[releaseId] = recordHash;
        _claim(release, seq, since);
        _append(seq, recordHash);
        emit ReleasePublished(releaseId, release.publisher, release.artifact, seq, timestamp, actor, since, release);
    }

    /// @dev A later claim with an earlier `since` displaces the first; an equal one does not. No `since` is more than
    /// `RESERVATION_PERIOD` ago, so that a first claim is final after that.
    function _claim(Release calldata release, uint48 seq, uint48 since) private {
        Claim storage first = _firstClaim[release.artifact];
        if (first.publisher == address(0) || since < first.since) {
            _firstClaim[release.artifact] = Claim(release.publisher, seq, since);
        }
    }

    function _reveal(Release calldata release, bytes32 salt) internal view returns (uint48 since) {
        bytes32 commitment = reservationOf(release.publisher, release.artifact, salt);
        since = reservedAt[commitment];
        if (since == 0) revert UnknownReservation(commitment);
        if (since == block.timestamp) revert ReservationTooNew(commitment);
        if (block.timestamp > since + RESERVATION_PERIOD) revert ReservationExpired(commitment);
    }

    /// @dev Parents exist already, so the graph has no cycle; strict order leaves no duplicates.
    function _checkParents(Parent[] calldata parents) private view {
        if (parents.length > MAX_PARENTS) revert TooManyParents();
        bytes32 previous;
        Relation previousRelation;
        for (uint256 i; i < parents.length; ++i) {
            Parent calldata parent = parents[i];
            (bytes32 releaseId, Relation relation) = (parent.releaseId, parent.relation);
            if (recordHashOf[releaseId] == 0) revert UnknownRelease(releaseId);
            if (relation == Relation.None) revert InvalidRelation(releaseId);
            // No release has the id zero, so that the first parent is in order whatever it is.
            if (releaseId <= previous && (releaseId < previous || relation <= previousRelation)) {
                revert ParentsNotSorted();
            }
            (previous, previousRelation) = (releaseId, relation);
        }
    }
}
