// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IReleaseRecords} from "./IReleaseRecords.sol";

/// @title Anchors: many releases under one Merkle root, each of which can become a full record
interface IAnchors is IReleaseRecords {
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

    /// @notice Releases were anchored; `record` is all that its record hash is computed from.
    event Anchored(bytes32 indexed anchorId, address indexed publisher, AnchorRecord record);

    /// @notice An anchor was taken back; `record` is all that its record hash is computed from.
    event AnchorWithdrawn(bytes32 indexed anchorId, address indexed publisher, WithdrawalRecord record);

    /// @notice The release with this sequence number came from an anchor. Beside `ReleasePublished`; no record of its own.
    event ReleasePromoted(bytes32 indexed releaseId, bytes32 indexed anchorId, uint48 seq, uint64 index);

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

    /// @notice Makes an anchored release a full record; anyone may. Its claim and its record's time are of now, so that
    /// what was anchored before a key was compromised and promoted after it, by whomever, is not trusted: where that
    /// must not be in a stranger's hand, publish in place of anchoring.
    /// Reverts where publishing would, with what `verifyAnchored` reverts with, and with `FrozenPublisher` where whoever
    /// anchored was frozen with a time before the anchor.
    function promote(
        Anchor calldata anchor,
        uint64 index,
        bytes32[] calldata proof,
        Release calldata release
    ) external returns (bytes32 releaseId);

    /// @notice The id of an anchor. It binds chain, contract and all that the anchor says.
    function anchorIdOf(Anchor calldata anchor) external view returns (bytes32);

    /// @notice An anchor in storage.
    function anchorOf(bytes32 anchorId) external view returns (AnchorEntry memory);

    /// @notice Reverts with `UnknownAnchor`, `WithdrawnAnchor` or `NotInAnchor` unless the release is leaf `index` of an
    /// anchor of its own publisher, where a release of this form could not be published, and with `VersionExists` once
    /// its name and version have a full record, be it of this release or another: from then on that record and its
    /// status are what counts. The caller must compare the publisher with one it trusts, and ask
    /// `IPublisherRegistry.trustedUntil` of publisher and `actor` about `since`. Parents are not looked up. Until one is
    /// promoted, two anchors of a publisher may hold two releases of one name and version.
    /// @param proof The inclusion proof of RFC 9162, section 2.1.3, from the leaf up.
    function verifyAnchored(
        Anchor calldata anchor,
        uint64 index,
        bytes32[] calldata proof,
        Release calldata release
    ) external view returns (AnchorEntry memory);
}
