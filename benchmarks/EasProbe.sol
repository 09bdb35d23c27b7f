// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @dev As EAS 1.4 declares it.
interface IEas {
    struct Attestation {
        bytes32 uid;
        bytes32 schema;
        uint64 time;
        uint64 expirationTime;
        uint64 revocationTime;
        bytes32 refUID;
        address recipient;
        address attester;
        bool revocable;
        bytes data;
    }

    function getAttestation(bytes32 uid) external view returns (Attestation memory);
}

/// @title What reading an attestation costs a contract: the peer of `contracts/test/GasProbe.sol`
contract EasProbe {
    function getAttestation(IEas eas, bytes32 uid) external view returns (uint256 gas) {
        gas = gasleft();
        eas.getAttestation(uid);
        gas -= gasleft();
    }
}
