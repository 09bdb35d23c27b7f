// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title A log whose head commits to every record ever appended
/// @notice Whoever replays the contract's events and reaches `head()` has all of them.
/// `head_0 = keccak256(abi.encode(GENESIS_TYPEHASH, chainId, contract))`,
/// `head_n = keccak256(abi.encode(head_{n-1}, recordHash_n))`.
/// @dev `head` is storage slot 0; `size` and `deployedAt` share slot 1. All can be proven by `eth_getProof` (EIP-1186).
interface IAppendOnlyLog {
    /// @notice The hash chain over all records, in the order in which they were appended.
    function head() external view returns (bytes32);

    /// @notice How many records were appended. The first record has the sequence number 0.
    function size() external view returns (uint48);

    /// @notice The block in which the log began: no earlier block can hold an event of it. Never zero.
    /// @dev `block.number` as the EVM gave it, which on some rollups is not the number that their own blocks have.
    function deployedAt() external view returns (uint48);
}
