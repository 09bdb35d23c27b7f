// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title A log whose head commits to every record ever appended
/// @notice Whoever replays the contract's events and reaches `head()` has all of them.
/// `head_0 = keccak256(abi.encode(GENESIS_TYPEHASH, chainId, contract))`,
/// `head_n = keccak256(abi.encode(head_{n-1}, recordHash_n))`.
/// @dev `head` is storage slot 0 and `size` slot 1, so that both can be proven by `eth_getProof` (EIP-1186).
interface IAppendOnlyLog {
    /// @notice The hash chain over all records, in the order in which they were appended.
    function head() external view returns (bytes32);

    /// @notice How many records were appended. The first record has the sequence number 0.
    function size() external view returns (uint256);
}
