// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IReleaseRecords} from "../interfaces/IReleaseRecords.sol";

/// @title What a release is hashed to, and what its name may be
/// @dev Record hashes are EIP-712 hashStructs. Both the registry and what reads it by record hash compute them here.
library Releases {
    bytes32 internal constant RELEASE_ID_TYPEHASH = keccak256(
        "ReleaseId(uint256 chainId,address registry,address publisher,string name,string version)"
    );
    bytes32 internal constant PARENT_TYPEHASH = keccak256("Parent(bytes32 releaseId,uint8 relation)");
    bytes32 internal constant RELEASE_TYPEHASH = keccak256(
        "Release(address publisher,string name,string version,bytes32 artifact,bytes32 manifest,bytes32 terms,bytes32 trainingData,Parent[] parents)Parent(bytes32 releaseId,uint8 relation)"
    );
    bytes32 internal constant RECORD_TYPEHASH = keccak256(
        "Record(uint48 seq,uint48 timestamp,address actor,uint48 since,Release release)Parent(bytes32 releaseId,uint8 relation)Release(address publisher,string name,string version,bytes32 artifact,bytes32 manifest,bytes32 terms,bytes32 trainingData,Parent[] parents)"
    );

    uint256 private constant MAX_NAME = 64;
    uint256 private constant MAX_VERSION = 32;
    // Bit c is set when the ASCII character c is in the class.
    uint256 private constant ALPHANUMERIC = (0x3ff << 0x30) | (0x3ffffff << 0x61);
    uint256 private constant SEPARATORS = (1 << 0x2e) | (1 << 0x5f) | (1 << 0x2d);
    uint256 private constant PLUS = 1 << 0x2b;

    function idOf(
        address registry,
        address publisher,
        string calldata name,
        string calldata version
    ) internal view returns (bytes32) {
        return idOf(registry, publisher, keccak256(bytes(name)), keccak256(bytes(version)));
    }

    function idOf(
        address registry,
        address publisher,
        bytes32 nameHash,
        bytes32 versionHash
    ) internal view returns (bytes32) {
        return keccak256(abi.encode(RELEASE_ID_TYPEHASH, block.chainid, registry, publisher, nameHash, versionHash));
    }

    function hash(IReleaseRecords.Record calldata record) internal pure returns (bytes32) {
        return hashRecord(record.seq, record.timestamp, record.actor, record.since, hash(record.release));
    }

    /// @dev All members are static, so that they lie in calldata as `abi.encode` would write them. A word with bits
    /// beyond its member's width gives a hash that no record has.
    function hash(IReleaseRecords.HashedRecord calldata record) internal pure returns (bytes32 recordHash) {
        (bytes32 recordTypehash, bytes32 releaseTypehash) = (RECORD_TYPEHASH, RELEASE_TYPEHASH);
        assembly ("memory-safe") {
            let start := mload(0x40)
            mstore(start, releaseTypehash)
            calldatacopy(add(start, 0x20), add(record, 0x80), 0x100)
            mstore(add(start, 0xa0), keccak256(start, 0x120))
            mstore(start, recordTypehash)
            calldatacopy(add(start, 0x20), record, 0x80)
            recordHash := keccak256(start, 0xc0)
        }
    }

    function hashRecord(
        uint48 seq,
        uint48 timestamp,
        address actor,
        uint48 since,
        bytes32 releaseHash
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(RECORD_TYPEHASH, seq, timestamp, actor, since, releaseHash));
    }

    function hash(IReleaseRecords.Release calldata release) internal pure returns (bytes32) {
        bytes32[] memory parents = new bytes32[](release.parents.length);
        for (uint256 i; i < parents.length; ++i) {
            IReleaseRecords.Parent calldata parent = release.parents[i];
            parents[i] = keccak256(abi.encode(PARENT_TYPEHASH, parent.releaseId, parent.relation));
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

    /// @dev Reverts unless every field that stands alone is of its form.
    function check(IReleaseRecords.Release calldata release) internal pure {
        if (!_wellFormed(bytes(release.name), MAX_NAME, SEPARATORS)) revert IReleaseRecords.InvalidName();
        if (!_wellFormed(bytes(release.version), MAX_VERSION, SEPARATORS | PLUS)) {
            revert IReleaseRecords.InvalidVersion();
        }
        if (release.artifact == 0) revert IReleaseRecords.ZeroArtifact();
        if (release.manifest == 0) revert IReleaseRecords.ZeroManifest();
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
