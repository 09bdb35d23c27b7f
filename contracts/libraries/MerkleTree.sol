// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Inclusion in a Merkle tree (RFC 9162, sections 2.1.1 and 2.1.3.2) over keccak-256
/// @dev Leaves and nodes are hashed with different first bytes, and the number of leaves is the caller's to bind:
/// a node cannot be passed as a leaf, nor a shorter tree as a longer one.
library MerkleTree {
    function leafHash(bytes32 value) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x00), value));
    }

    function nodeHash(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, right));
    }

    /// @dev Whether `leaf` is leaf `index` of the `count` leaves under `root`.
    function verify(
        bytes32 root,
        uint256 count,
        uint256 index,
        bytes32 leaf,
        bytes32[] calldata proof
    ) internal pure returns (bool) {
        if (index >= count) return false;
        uint256 last = count - 1;
        bytes32 hash = leaf;
        for (uint256 i; i < proof.length; ++i) {
            if (last == 0) return false;
            if (index & 1 == 1 || index == last) {
                hash = nodeHash(proof[i], hash);
                // A last leaf of an uneven level has no sibling there: it goes up as it is.
                while (index & 1 == 0 && index != 0) {
                    index >>= 1;
                    last >>= 1;
                }
            } else {
                hash = nodeHash(hash, proof[i]);
            }
            index >>= 1;
            last >>= 1;
        }
        return last == 0 && hash == root;
    }
}
