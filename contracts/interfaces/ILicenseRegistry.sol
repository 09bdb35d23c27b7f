// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAppendOnlyLog} from "./IAppendOnlyLog.sol";
import {IModelRegistry} from "./IModelRegistry.sol";
import {IPublisherRegistry} from "./IPublisherRegistry.sol";
import {ISignedActions} from "./ISignedActions.sol";

/// @title Licences: terms by the hash of their document and states, and grants beyond them
/// @notice A release names its terms for good. A publisher may grant more to one account or to everyone, and take it
/// back unless it said that it never will. Unknown is never allowed, and a revoked release allows nothing.
interface ILicenseRegistry is IAppendOnlyLog, ISignedActions {
    /// @notice What someone may want to do with a model; its number is its place in packed states and use bits.
    enum Use {
        Run,
        Commercial,
        Redistribute,
        Modify,
        Distil,
        TrainOnOutputs
    }

    /// @notice Only `Allowed` permits; `Conditional` does when the caller knows that the conditions are met.
    enum UseState {
        Unknown,
        Allowed,
        Conditional,
        Denied
    }

    /// @notice Terms in storage; `since` is zero while nobody registered them.
    /// @param uses Two bits a use (`UseState`), in the order of `Use`, from the lowest bits.
    struct Terms {
        uint16 uses;
        uint48 seq;
        uint48 since;
    }

    /// @notice A grant as a publisher makes it: all of it replaces what the grantee had for this release.
    /// @param grantee Who may; zero for everyone.
    /// @param uses Bit `Use` for each use that is allowed; zero takes the grant back.
    /// @param from, until From this second on, and before that one.
    /// @param irrevocable While it lasts, it can only be widened.
    struct Grant {
        address publisher;
        string name;
        string version;
        address grantee;
        uint8 uses;
        uint48 from;
        uint48 until;
        bool irrevocable;
    }

    /// @notice A grant in storage, all zero if there never was one.
    /// @param revision How often it was set: who paid for a grant compares it.
    struct GrantEntry {
        uint8 uses;
        uint48 from;
        uint48 until;
        bool irrevocable;
        uint32 revision;
        uint48 since;
    }

    struct TermsRecord {
        uint48 seq;
        uint48 timestamp;
        address actor;
        bytes32 terms;
        bytes32 document;
        uint16 uses;
    }

    struct GrantRecord {
        uint48 seq;
        uint48 timestamp;
        address publisher;
        address actor;
        bytes32 releaseId;
        address grantee;
        uint8 uses;
        uint48 from;
        uint48 until;
        bool irrevocable;
        uint32 revision;
    }

    event TermsRegistered(bytes32 indexed terms, bytes32 indexed document, TermsRecord record);
    event GrantSet(bytes32 indexed releaseId, address indexed grantee, address indexed publisher, GrantRecord record);

    /// @notice A state beyond the uses there are.
    error InvalidUses(uint256 uses);
    /// @notice These terms are registered already.
    error TermsExist(bytes32 terms);
    /// @notice A grant's times are in order and its end is to come; one that takes back has no uses, times or promise.
    error InvalidGrant();
    /// @notice The grantee has exactly this grant already, or none to take back.
    error GrantUnchanged();
    /// @notice The grant in force says that it will not be narrowed.
    error IrrevocableGrant(bytes32 releaseId, address grantee);

    /// @notice Registers terms; anyone may, since their id says all there is to them. Unregistered terms are unknown.
    /// @param document sha2-256 of the terms document.
    /// @return terms `termsIdOf(document, uses)`.
    function registerTerms(bytes32 document, uint16 uses) external returns (bytes32 terms);

    /// @notice Sets a grant of the caller's, or of a publisher whose delegate (scope 4) it is.
    function setGrant(Grant calldata grant) external;

    /// @notice The same, signed by `signed.actor`: `SetGrant(address actor,Grant grant,uint256 nonce,uint256 deadline)`.
    function setGrantWithSignature(Grant calldata grant, uint256 nonce, Signed calldata signed) external;

    /// @notice What the publisher of a release says of a use by an account: its terms, or a grant in force to the
    /// account or to everyone. It speaks of this publisher's own declarations: not of what parents permit, and not of
    /// whether the publisher is one to trust, which the caller must decide by `record.release.publisher`.
    /// Revoked, or recorded after the publisher's key was compromised: `Denied`; grants made after that do not count,
    /// also not where they replaced an earlier one, which only the log still holds.
    /// Reverts with `RecordMismatch` unless the registry holds exactly this record under this id. No two records have
    /// one sequence number, so that a record is held under its own id only.
    /// @param record The release as it was recorded, its texts and parents hashed.
    /// @param account Zero asks for what everyone may.
    function permission(
        bytes32 releaseId,
        IModelRegistry.HashedRecord calldata record,
        address account,
        Use use
    ) external view returns (UseState);

    /// @notice keccak256(abi.encode(keccak256("Terms(bytes32 document,uint256 uses)"), document, uses)).
    function termsIdOf(bytes32 document, uint16 uses) external pure returns (bytes32);

    /// @notice Terms in storage.
    function termsOf(bytes32 terms) external view returns (Terms memory);

    /// @notice A grant in storage, whether it is in force or not.
    function grantOf(bytes32 releaseId, address grantee) external view returns (GrantEntry memory);

    /// @notice Who may act for whom.
    function publisherRegistry() external view returns (IPublisherRegistry);

    /// @notice Whose releases these are licences for.
    function modelRegistry() external view returns (IModelRegistry);
}
