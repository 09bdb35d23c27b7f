// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Actions that a key signs offline and anyone may submit
/// @notice EIP-712 typed data under the domain (name, version, chain id, contract), so that a signature is of one
/// contract on one chain. The actor is checked by ECDSA first (an EIP-7702 account has code and still signs), then by
/// ERC-1271. Who submits pays, and is recorded nowhere. Publishing, anchoring and attesting need no nonce, since their
/// ids make a second time impossible; every other action uses up an unordered nonce of its actor's. What needs nobody's
/// authority (registering terms, reserving, promoting) has no signed form.
interface ISignedActions {
    /// @param actor Who signed: the publisher, or a delegate of its. It is part of what was signed.
    /// @param deadline The last second at which it may be submitted. It is part of what was signed.
    /// @param signature 65 bytes (r, s, v) with s in the lower half, or whatever the actor's contract takes (ERC-1271).
    struct Signed {
        address actor;
        uint256 deadline;
        bytes signature;
    }

    /// @notice A nonce was cancelled: what was signed with it can no longer be submitted.
    event NonceCancelled(address indexed actor, uint256 nonce);

    /// @notice The deadline has passed.
    error SignatureExpired(uint256 deadline);
    /// @notice This is not the actor's signature of this action on this contract and chain.
    error InvalidSignature(address actor);
    /// @notice The nonce was used or cancelled.
    error NonceUsed(address actor, uint256 nonce);

    /// @notice Makes a nonce of the caller's unusable. A nonce that was used already stays so.
    function cancel(uint256 nonce) external;

    /// @notice Whether a nonce was used or cancelled.
    function isNonceUsed(address actor, uint256 nonce) external view returns (bool);
}
