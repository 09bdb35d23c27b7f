// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {MerkleTree} from "../libraries/MerkleTree.sol";
import {Releases} from "../libraries/Releases.sol";
import {IAnchors} from "../interfaces/IAnchors.sol";
import {IPublisherRegistry} from "../interfaces/IPublisherRegistry.sol";
import {ReleaseRecords} from "./ReleaseRecords.sol";

/// @title Anchors: many releases under one Merkle root, each of which can become a full record
abstract contract Anchors is IAnchors, ReleaseRecords {
    bytes32 internal constant ANCHOR_TYPEHASH = keccak256(
        "Anchor(address publisher,bytes32 root,uint64 count,bytes32 list)"
    );
    bytes32 internal constant PUBLISH_ANCHOR_TYPEHASH = keccak256(
        "PublishAnchor(address actor,Anchor anchor,uint256 deadline)Anchor(address publisher,bytes32 root,uint64 count,bytes32 list)"
    );
    bytes32 internal constant WITHDRAW_ANCHOR_TYPEHASH = keccak256(
        "WithdrawAnchor(address actor,Anchor anchor,uint256 nonce,uint256 deadline)Anchor(address publisher,bytes32 root,uint64 count,bytes32 list)"
    );
    bytes32 internal constant ANCHOR_ID_TYPEHASH = keccak256(
        "AnchorId(uint256 chainId,address registry,address publisher,bytes32 root,uint64 count,bytes32 list)"
    );
    bytes32 internal constant ANCHOR_RECORD_TYPEHASH = keccak256(
        "AnchorRecord(uint48 seq,uint48 timestamp,address publisher,address actor,bytes32 root,uint64 count,bytes32 list)"
    );
    bytes32 internal constant WITHDRAWAL_RECORD_TYPEHASH = keccak256(
        "WithdrawalRecord(uint48 seq,uint48 timestamp,address publisher,address actor,bytes32 anchorId)"
    );

    mapping(bytes32 anchorId => AnchorEntry entry) private _anchorOf;

    /// @inheritdoc IAnchors
    function publishAnchor(Anchor calldata anchor) external override returns (bytes32) {
        return _publishAnchor(anchor, msg.sender);
    }

    /// @inheritdoc IAnchors
    function publishAnchorWithSignature(
        Anchor calldata anchor,
        Signed calldata signed
    ) external override returns (bytes32) {
        bytes32 anchorHash = keccak256(abi.encode(ANCHOR_TYPEHASH, anchor));
        _checkSignature(
            signed,
            keccak256(abi.encode(PUBLISH_ANCHOR_TYPEHASH, signed.actor, anchorHash, signed.deadline))
        );
        return _publishAnchor(anchor, signed.actor);
    }

    /// @inheritdoc IAnchors
    function withdrawAnchor(Anchor calldata anchor) external override {
        _withdrawAnchor(anchor, msg.sender);
    }

    /// @inheritdoc IAnchors
    function withdrawAnchorWithSignature(
        Anchor calldata anchor,
        uint256 nonce,
        Signed calldata signed
    ) external override {
        bytes32 anchorHash = keccak256(abi.encode(ANCHOR_TYPEHASH, anchor));
        _checkSignature(
            signed,
            nonce,
            keccak256(abi.encode(WITHDRAW_ANCHOR_TYPEHASH, signed.actor, anchorHash, nonce, signed.deadline))
        );
        _withdrawAnchor(anchor, signed.actor);
    }

    /// @inheritdoc IAnchors
    function promote(
        Anchor calldata anchor,
        uint64 index,
        bytes32[] calldata proof,
        Release calldata release
    ) external override returns (bytes32 releaseId) {
        bytes32 anchorId = anchorIdOf(anchor);
        bytes32 releaseHash = Releases.hash(release);
        AnchorEntry memory entry = _verifyAnchored(anchorId, anchor, index, proof, release, releaseHash);
        // Whoever anchored was authorised then. What must hold now: the publisher is not frozen, and the key that anchored
        // was not compromised when it did.
        publisherRegistry.checkAuthority(release.publisher, release.publisher, SCOPE_PUBLISH);
        if (entry.since > publisherRegistry.trustedUntil(entry.actor)) {
            revert IPublisherRegistry.FrozenPublisher(entry.actor);
        }
        uint48 seq;
        (releaseId, seq) = _record(release, releaseHash, entry.actor, uint48(block.timestamp));
        emit ReleasePromoted(releaseId, anchorId, seq, index);
    }

    /// @inheritdoc IAnchors
    function verifyAnchored(
        Anchor calldata anchor,
        uint64 index,
        bytes32[] calldata proof,
        Release calldata release
    ) external view override returns (AnchorEntry memory entry) {
        Releases.check(release);
        entry = _verifyAnchored(anchorIdOf(anchor), anchor, index, proof, release, Releases.hash(release));
        bytes32 releaseId = releaseIdOf(release.publisher, release.name, release.version);
        if (recordHashOf[releaseId] != 0) revert VersionExists(releaseId);
    }

    /// @inheritdoc IAnchors
    function anchorOf(bytes32 anchorId) external view override returns (AnchorEntry memory) {
        return _anchorOf[anchorId];
    }

    /// @inheritdoc IAnchors
    function anchorIdOf(Anchor calldata anchor) public view override returns (bytes32) {
        return keccak256(abi.encode(ANCHOR_ID_TYPEHASH, block.chainid, address(this), anchor));
    }

    function _publishAnchor(Anchor calldata anchor, address actor) private returns (bytes32 anchorId) {
        publisherRegistry.checkAuthority(anchor.publisher, actor, SCOPE_PUBLISH);
        if (anchor.count == 0 || anchor.root == 0 || anchor.list == 0) revert EmptyAnchor();
        anchorId = anchorIdOf(anchor);
        if (_anchorOf[anchorId].since != 0) revert AnchorExists(anchorId);
        AnchorRecord memory record = AnchorRecord(
            size,
            uint48(block.timestamp),
            anchor.publisher,
            actor,
            anchor.root,
            anchor.count,
            anchor.list
        );
        _anchorOf[anchorId] = AnchorEntry(actor, record.seq, record.timestamp, 0);
        _append(record.seq, keccak256(abi.encode(ANCHOR_RECORD_TYPEHASH, record)));
        emit Anchored(anchorId, anchor.publisher, record);
    }

    function _withdrawAnchor(Anchor calldata anchor, address actor) private {
        publisherRegistry.checkAuthority(anchor.publisher, actor, SCOPE_STATUS);
        bytes32 anchorId = anchorIdOf(anchor);
        _liveAnchor(anchorId);
        WithdrawalRecord memory record = WithdrawalRecord(
            size,
            uint48(block.timestamp),
            anchor.publisher,
            actor,
            anchorId
        );
        _anchorOf[anchorId].withdrawnAt = record.timestamp;
        _append(record.seq, keccak256(abi.encode(WITHDRAWAL_RECORD_TYPEHASH, record)));
        emit AnchorWithdrawn(anchorId, anchor.publisher, record);
    }

    function _verifyAnchored(
        bytes32 anchorId,
        Anchor calldata anchor,
        uint64 index,
        bytes32[] calldata proof,
        Release calldata release,
        bytes32 releaseHash
    ) private view returns (AnchorEntry memory entry) {
        entry = _liveAnchor(anchorId);
        bytes32 leaf = MerkleTree.leafHash(releaseHash);
        bool included = MerkleTree.verify(anchor.root, anchor.count, index, leaf, proof);
        if (release.publisher != anchor.publisher || !included) revert NotInAnchor(anchorId);
    }

    function _liveAnchor(bytes32 anchorId) private view returns (AnchorEntry memory entry) {
        entry = _anchorOf[anchorId];
        if (entry.since == 0) revert UnknownAnchor(anchorId);
        if (entry.withdrawnAt != 0) revert WithdrawnAnchor(anchorId);
    }
}
