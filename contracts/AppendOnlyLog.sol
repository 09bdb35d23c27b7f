// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAppendOnlyLog} from "./interfaces/IAppendOnlyLog.sol";

/// @title The base of every registry: an append-only hash chain in storage
/// @dev Nothing is ever removed and there is no owner. The genesis head binds chain and contract, so that
/// the history of one deployment cannot be passed off as another's.
abstract contract AppendOnlyLog is IAppendOnlyLog {
    bytes32 internal constant GENESIS_TYPEHASH = keccak256("Genesis(uint256 chainId,address contract)");

    /// @inheritdoc IAppendOnlyLog
    bytes32 public override head;

    /// @inheritdoc IAppendOnlyLog
    uint48 public override size;

    /// @inheritdoc IAppendOnlyLog
    uint48 public override deployedAt;

    constructor() {
        deployedAt = uint48(block.number);
        head = keccak256(abi.encode(GENESIS_TYPEHASH, block.chainid, address(this)));
    }

    /// @dev `seq` must be the sequence number that `recordHash` was computed with, which is `size` before the call.
    function _append(uint48 seq, bytes32 recordHash) internal {
        head = keccak256(abi.encode(head, recordHash));
        size = seq + 1;
    }
}
