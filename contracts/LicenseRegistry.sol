// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {AppendOnlyLog} from "./AppendOnlyLog.sol";
import {SignedActions} from "./SignedActions.sol";
import {ILicenseRegistry} from "./interfaces/ILicenseRegistry.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IPublisherRegistry} from "./interfaces/IPublisherRegistry.sol";
import {IReleaseRecords} from "./interfaces/IReleaseRecords.sol";
import {Releases} from "./libraries/Releases.sol";

/// @title Licences: terms and grants
/// @dev Storage (proofs rely on it; a test asserts it against the compiler's layout):
///   slot 0  head              bytes32
///   slot 1  size              uint48
///   slot 1  deployedAt        uint48
///   slot 2  _nameFallback     string
///   slot 3  _versionFallback  string
///   slot 4  _usedNonces       mapping(address actor => mapping(uint256 word => uint256 bits))
///   slot 5  _termsOf          mapping(bytes32 terms => Terms)
///   slot 6  _grantOf          mapping(bytes32 releaseId => mapping(address grantee => GrantEntry))
///
/// Words that hold several fields, from the lowest bit on, with widths in bits:
/// slot 1       | size 48 | deployedAt 48 |
/// Terms        | uses 16 | seq 48 | since 48 |         no slot = not registered
/// GrantEntry   | uses 8 | from 48 | until 48 | irrevocable 8 | revision 32 | since 48 |
contract LicenseRegistry is ILicenseRegistry, AppendOnlyLog, SignedActions {
    bytes32 internal constant TERMS_TYPEHASH = keccak256("Terms(bytes32 document,uint256 uses)");
    bytes32 internal constant GRANT_TYPEHASH = keccak256(
        "Grant(address publisher,string name,string version,address grantee,uint8 uses,uint48 from,uint48 until,bool irrevocable)"
    );
    bytes32 internal constant SET_GRANT_TYPEHASH = keccak256(
        "SetGrant(address actor,Grant grant,uint256 nonce,uint256 deadline)Grant(address publisher,string name,string version,address grantee,uint8 uses,uint48 from,uint48 until,bool irrevocable)"
    );
    bytes32 internal constant TERMS_RECORD_TYPEHASH = keccak256(
        "TermsRecord(uint48 seq,uint48 timestamp,address actor,bytes32 terms,bytes32 document,uint16 uses)"
    );
    bytes32 internal constant GRANT_RECORD_TYPEHASH = keccak256(
        "GrantRecord(uint48 seq,uint48 timestamp,address publisher,address actor,bytes32 releaseId,address grantee,uint8 uses,uint48 from,uint48 until,bool irrevocable,uint32 revision)"
    );

    uint8 private constant SCOPE_GRANT = 4;
    uint256 private constant STATES = 1 << 12; // two bits for each of six uses
    uint256 private constant USES = 1 << 6;

    /// @inheritdoc ILicenseRegistry
    IPublisherRegistry public immutable override publisherRegistry;
    /// @inheritdoc ILicenseRegistry
    IModelRegistry public immutable override modelRegistry;

    mapping(bytes32 terms => Terms entry) private _termsOf;
    mapping(bytes32 releaseId => mapping(address grantee => GrantEntry entry)) private _grantOf;

    constructor(IModelRegistry models) EIP712("LicenseRegistry", "1") {
        modelRegistry = models;
        publisherRegistry = models.publisherRegistry();
    }

    /// @inheritdoc ILicenseRegistry
    function registerTerms(bytes32 document, uint16 uses) external override returns (bytes32 terms) {
        if (uses >= STATES) revert InvalidUses(uses);
        terms = termsIdOf(document, uses);
        if (_termsOf[terms].since != 0) revert TermsExist(terms);
        TermsRecord memory record = TermsRecord(size, uint48(block.timestamp), msg.sender, terms, document, uses);
        _termsOf[terms] = Terms(uses, record.seq, record.timestamp);
        _append(record.seq, keccak256(abi.encode(TERMS_RECORD_TYPEHASH, record)));
        emit TermsRegistered(terms, document, record);
    }

    /// @inheritdoc ILicenseRegistry
    function setGrant(Grant calldata grant) external override {
        _setGrant(grant, msg.sender);
    }

    /// @inheritdoc ILicenseRegistry
    function setGrantWithSignature(Grant calldata grant, uint256 nonce, Signed calldata signed) external override {
        bytes32 grantHash = keccak256(
            abi.encode(
                GRANT_TYPEHASH,
                grant.publisher,
                keccak256(bytes(grant.name)),
                keccak256(bytes(grant.version)),
                grant.grantee,
                grant.uses,
                grant.from,
                grant.until,
                grant.irrevocable
            )
        );
        _checkSignature(
            signed,
            nonce,
            keccak256(abi.encode(SET_GRANT_TYPEHASH, signed.actor, grantHash, nonce, signed.deadline))
        );
        _setGrant(grant, signed.actor);
    }

    /// @inheritdoc ILicenseRegistry
    function permission(
        bytes32 releaseId,
        IModelRegistry.HashedRecord calldata record,
        address account,
        Use use
    ) external view override returns (UseState state) {
        IModelRegistry.HashedRelease calldata release = record.release;
        (bytes32 recordHash, IModelRegistry.Status status) = modelRegistry.stateOf(releaseId);
        if (recordHash != Releases.hash(record)) revert IModelRegistry.RecordMismatch(releaseId);
        uint48 trusted = publisherRegistry.trustedUntil(release.publisher);
        if (status == IModelRegistry.Status.Revoked || record.timestamp > trusted) return UseState.Denied;

        // Unregistered terms have no slot, whose states are all unknown.
        state = UseState((_termsOf[release.terms].uses >> (uint256(use) << 1)) & 3);
        if (state == UseState.Allowed) return state;
        mapping(address grantee => GrantEntry entry) storage grants = _grantOf[releaseId];
        uint256 bit = 1 << uint256(use);
        if (_isInForce(grants[account], bit, trusted) || _isInForce(grants[address(0)], bit, trusted)) {
            state = UseState.Allowed;
        }
    }

    /// @inheritdoc ILicenseRegistry
    function termsIdOf(bytes32 document, uint16 uses) public pure override returns (bytes32) {
        return keccak256(abi.encode(TERMS_TYPEHASH, document, uses));
    }

    /// @inheritdoc ILicenseRegistry
    function termsOf(bytes32 terms) external view override returns (Terms memory) {
        return _termsOf[terms];
    }

    /// @inheritdoc ILicenseRegistry
    function grantOf(bytes32 releaseId, address grantee) external view override returns (GrantEntry memory) {
        return _grantOf[releaseId][grantee];
    }

    function _isInForce(GrantEntry storage entry, uint256 bit, uint48 trusted) private view returns (bool) {
        return
            entry.uses & bit != 0 &&
            entry.from <= block.timestamp &&
            entry.until > block.timestamp &&
            entry.since <= trusted;
    }

    function _setGrant(Grant calldata grant, address actor) private {
        publisherRegistry.checkAuthority(grant.publisher, actor, SCOPE_GRANT);
        if (grant.uses >= USES) revert InvalidUses(grant.uses);
        bool wellFormed =
            grant.uses == 0
                ? grant.from == 0 && grant.until == 0 && !grant.irrevocable
                : grant.from < grant.until && grant.until > block.timestamp;
        if (!wellFormed) revert InvalidGrant();
        bytes32 releaseId = Releases.idOf(address(modelRegistry), grant.publisher, grant.name, grant.version);
        if (modelRegistry.recordHashOf(releaseId) == 0) revert IReleaseRecords.UnknownRelease(releaseId);

        GrantEntry memory before = _grantOf[releaseId][grant.grantee];
        if (_equals(grant, before)) revert GrantUnchanged();
        if (before.irrevocable && block.timestamp < before.until && !_widens(grant, before)) {
            revert IrrevocableGrant(releaseId, grant.grantee);
        }
        GrantRecord memory record = GrantRecord(
            size,
            uint48(block.timestamp),
            grant.publisher,
            actor,
            releaseId,
            grant.grantee,
            grant.uses,
            grant.from,
            grant.until,
            grant.irrevocable,
            before.revision + 1
        );
        _grantOf[releaseId][grant.grantee] = GrantEntry(
            record.uses,
            record.from,
            record.until,
            record.irrevocable,
            record.revision,
            record.timestamp
        );
        _append(record.seq, keccak256(abi.encode(GRANT_RECORD_TYPEHASH, record)));
        emit GrantSet(releaseId, record.grantee, record.publisher, record);
    }

    /// @dev An equal grant would only renew `since`, and a freeze could then end what was granted before it.
    function _equals(Grant calldata grant, GrantEntry memory entry) private pure returns (bool) {
        return
            grant.uses == entry.uses &&
            grant.from == entry.from &&
            grant.until == entry.until &&
            grant.irrevocable == entry.irrevocable;
    }

    /// @dev Whether `grant` allows from now on all that the entry does.
    function _widens(Grant calldata grant, GrantEntry memory entry) private view returns (bool) {
        return
            grant.irrevocable &&
            entry.uses & ~grant.uses == 0 &&
            (grant.from <= entry.from || grant.from <= block.timestamp) &&
            grant.until >= entry.until;
    }
}
