// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ISignedActions} from "./interfaces/ISignedActions.sol";

/// @title The base of every registry: signatures, deadlines and unordered nonces
/// @dev Nonces are no records and not in the log: no answer about a release depends on them.
abstract contract SignedActions is ISignedActions, EIP712 {
    /// @dev 256 nonces a word: word `nonce >> 8`, bit `nonce & 0xff`.
    mapping(address actor => mapping(uint256 word => uint256 bits)) private _usedNonces;

    /// @inheritdoc ISignedActions
    function cancel(uint256 nonce) external override {
        (uint256 word, uint256 bit) = _place(nonce);
        _usedNonces[msg.sender][word] |= bit;
        emit NonceCancelled(msg.sender, nonce);
    }

    /// @inheritdoc ISignedActions
    function isNonceUsed(address actor, uint256 nonce) external view override returns (bool) {
        (uint256 word, uint256 bit) = _place(nonce);
        return _usedNonces[actor][word] & bit != 0;
    }

    /// @dev `structHash` must commit to `signed.actor` and `signed.deadline`.
    function _checkSignature(Signed calldata signed, bytes32 structHash) internal view {
        // A deadline of seconds or more: what a validator can shift a timestamp by decides nothing.
        if (block.timestamp > signed.deadline) revert SignatureExpired(signed.deadline);
        bytes32 digest = _hashTypedDataV4(structHash);
        // Refuses a high s and any length but 65, so that a signature has one form.
        (address recovered, ECDSA.RecoverError failure, ) = ECDSA.tryRecoverCalldata(digest, signed.signature);
        if (failure == ECDSA.RecoverError.NoError && recovered == signed.actor) return;
        // A static call: whatever the wallet does, it changes nothing here.
        if (!SignatureChecker.isValidERC1271SignatureNowCalldata(signed.actor, digest, signed.signature)) {
            revert InvalidSignature(signed.actor);
        }
    }

    /// @dev Checks the signature, then uses up the nonce, which `structHash` must commit to as well.
    function _checkSignature(Signed calldata signed, uint256 nonce, bytes32 structHash) internal {
        _checkSignature(signed, structHash);
        (uint256 word, uint256 bit) = _place(nonce);
        uint256 bits = _usedNonces[signed.actor][word];
        if (bits & bit != 0) revert NonceUsed(signed.actor, nonce);
        _usedNonces[signed.actor][word] = bits | bit;
    }

    function _place(uint256 nonce) private pure returns (uint256 word, uint256 bit) {
        return (nonce >> 8, 1 << (nonce & 0xff));
    }
}
