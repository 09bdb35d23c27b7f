// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILicenseRegistry} from "../interfaces/ILicenseRegistry.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";

/// @title What views cost a contract that calls them first thing in a transaction, everything cold
/// @notice Only for tests and benchmarks. The figure includes encoding the call and decoding the answer.
contract GasProbe {
    function permission(
        ILicenseRegistry licenses,
        bytes32 releaseId,
        IModelRegistry.HashedRecord calldata record,
        address account,
        ILicenseRegistry.Use use
    ) external view returns (uint256 gas, ILicenseRegistry.UseState state) {
        gas = gasleft();
        state = licenses.permission(releaseId, record, account, use);
        gas -= gasleft();
    }

    function statusOf(IModelRegistry models, bytes32 releaseId) external view returns (uint256 gas) {
        gas = gasleft();
        models.statusOf(releaseId);
        gas -= gasleft();
    }

    function verifyRecord(
        IModelRegistry models,
        IModelRegistry.Record calldata record
    ) external view returns (uint256 gas) {
        gas = gasleft();
        models.verifyRecord(record);
        gas -= gasleft();
    }

    function verifyAnchored(
        IModelRegistry models,
        IModelRegistry.Anchor calldata anchor,
        uint64 index,
        bytes32[] calldata proof,
        IModelRegistry.Release calldata release
    ) external view returns (uint256 gas) {
        gas = gasleft();
        models.verifyAnchored(anchor, index, proof, release);
        gas -= gasleft();
    }
}
