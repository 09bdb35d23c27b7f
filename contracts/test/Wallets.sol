// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

// Accounts with code, for the tests of attacks: what a registry may meet behind an address that signs by ERC-1271.

/// @title An account that does what it is told, by anyone
abstract contract Wallet {
    bytes4 internal constant YES = IERC1271.isValidSignature.selector;

    function execute(address target, bytes calldata data) external returns (bytes memory) {
        (bool done, bytes memory answer) = target.call(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
        return answer;
    }
}

/// @title Takes what its owner's key signed
contract OwnedWallet is Wallet {
    address public immutable owner;

    constructor(address owner_) {
        owner = owner_;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        (address recovered, ECDSA.RecoverError failure, ) = ECDSA.tryRecoverCalldata(digest, signature);
        bool valid = failure == ECDSA.RecoverError.NoError && recovered == owner;
        return valid ? YES : bytes4(0xffffffff);
    }
}

/// @title Answers whatever it was given, reverts with it, or burns all gas
contract AnsweringWallet is Wallet {
    enum Way {
        Answers,
        Reverts,
        BurnsGas
    }

    Way public immutable way;
    bytes public answer;

    constructor(Way way_, bytes memory answer_) {
        way = way_;
        answer = answer_;
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        bytes memory said = answer;
        if (way == Way.BurnsGas) {
            for (uint256 i = 1; i != 0; ++i) said = abi.encodePacked(keccak256(said));
        }
        if (way == Way.Reverts) {
            assembly ("memory-safe") {
                revert(add(said, 0x20), mload(said))
            }
        }
        assembly ("memory-safe") {
            return(add(said, 0x20), mload(said))
        }
    }
}

/// @title Answers with as much memory as its caller's gas pays for
contract FloodingWallet is Wallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        assembly ("memory-safe") {
            mstore(0, shl(224, 0x1626ba7e))
            return(0, 1000000)
        }
    }
}

/// @title Calls back into a registry while its signature is being checked, and then says yes
contract ReentrantWallet is Wallet {
    address private target;
    bytes private data;

    function prepare(address target_, bytes calldata data_) external {
        target = target_;
        data = data_;
    }

    /// @dev Not `view`, as ERC-1271 has it: that the caller allows no writes is what is under test.
    function isValidSignature(bytes32, bytes calldata) external returns (bytes4) {
        (bool done, ) = target.call{gas: 1000000}(data);
        done; // within a static call a write fails, and takes nothing with it
        return YES;
    }
}

/// @title An account's delegate code in the sense of EIP-7702, that says no to every signature
contract RefusingDelegation is Wallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return 0xffffffff;
    }
}

/// @title Makes many calls in one transaction, some of which may fail
contract Attacker {
    struct Call {
        address target;
        bytes data;
    }

    event Answered(bool done, bytes answer);

    function attempt(Call[] calldata calls) external {
        for (uint256 i; i < calls.length; ++i) {
            (bool done, bytes memory answer) = calls[i].target.call(calls[i].data);
            emit Answered(done, answer);
        }
    }
}
