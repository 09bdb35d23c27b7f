// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILicenseRegistry} from "../interfaces/ILicenseRegistry.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";

/// @title An action that only a licensed model may back: how a dApp gates on chain
/// @notice Whom to trust is decided at deployment and by nobody else: one publisher, and one set of terms that was
/// read and accepted. Anyone may claim the same bytes; only this publisher's record opens the door.
contract LicensedAction {
    ILicenseRegistry public immutable licenses;
    address public immutable publisher;
    bytes32 public immutable terms;

    event ActionTaken(address indexed account, bytes32 indexed artifact);

    error UntrustedPublisher(address publisher);
    error OtherTerms(bytes32 terms);
    error NotPermitted(ILicenseRegistry.UseState state);

    constructor(ILicenseRegistry licenses_, address publisher_, bytes32 terms_) {
        licenses = licenses_;
        publisher = publisher_;
        terms = terms_;
    }

    /// @param record The release, as its event gave it; the registry checks that it is what it holds.
    function act(bytes32 releaseId, IModelRegistry.HashedRecord calldata record) external {
        if (record.release.publisher != publisher) revert UntrustedPublisher(record.release.publisher);
        if (record.release.terms != terms) revert OtherTerms(record.release.terms);
        // Checks the record against the chain, revocation, freezes, terms and grants, for whoever calls.
        ILicenseRegistry.UseState state = licenses.permission(
            releaseId,
            record,
            msg.sender,
            ILicenseRegistry.Use.Commercial
        );
        if (state != ILicenseRegistry.UseState.Allowed) revert NotPermitted(state);

        emit ActionTaken(msg.sender, record.release.artifact);
    }
}
