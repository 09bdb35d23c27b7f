// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {AppendOnlyLog} from "./AppendOnlyLog.sol";
import {SignedActions} from "./SignedActions.sol";
import {IPublisherRegistry} from "./interfaces/IPublisherRegistry.sol";

/// @title Publishers: delegates, guardians, and the end of a key
/// @dev Storage (proofs rely on it; a test asserts it against the compiler's layout):
///   slot 0  head              bytes32
///   slot 1  size              uint48
///   slot 1  deployedAt        uint48
///   slot 2  _nameFallback     string
///   slot 3  _versionFallback  string
///   slot 4  _usedNonces       mapping(address actor => mapping(uint256 word => uint256 bits))
///   slot 5  _freezeOf         mapping(address publisher => Freeze)
///   slot 6  _delegationOf     mapping(address publisher => mapping(address delegate => Delegation))
///   slot 7  _guardianOf       mapping(address publisher => Guardian)
///
/// Words that hold several fields, from the lowest bit on, with widths in bits:
/// slot 1       | size 48 | deployedAt 48 |
/// Freeze       | successor 160 | frozenAt 48 | compromisedSince 48 |      no slot = not frozen
/// Delegation   | scopes 8 | expires 48 | seq 48 | since 48 |
/// Guardian     | guardian 160 | since 48 |             and a second word | next 160 | nextFrom 48 |
contract PublisherRegistry is IPublisherRegistry, AppendOnlyLog, SignedActions {
    bytes32 internal constant SET_DELEGATE_TYPEHASH = keccak256(
        "SetDelegate(address actor,address delegate,uint8 scopes,uint48 expires,uint256 nonce,uint256 deadline)"
    );
    bytes32 internal constant SET_GUARDIAN_TYPEHASH = keccak256(
        "SetGuardian(address actor,address guardian,uint256 nonce,uint256 deadline)"
    );
    bytes32 internal constant FREEZE_TYPEHASH = keccak256(
        "Freeze(address actor,address publisher,address successor,uint48 compromisedSince,uint256 nonce,uint256 deadline)"
    );
    bytes32 internal constant DELEGATE_RECORD_TYPEHASH = keccak256(
        "DelegateRecord(uint48 seq,uint48 timestamp,address publisher,address actor,address delegate,uint8 scopes,uint48 expires)"
    );
    bytes32 internal constant GUARDIAN_RECORD_TYPEHASH = keccak256(
        "GuardianRecord(uint48 seq,uint48 timestamp,address publisher,address actor,address guardian,uint48 from)"
    );
    bytes32 internal constant FREEZE_RECORD_TYPEHASH = keccak256(
        "FreezeRecord(uint48 seq,uint48 timestamp,address publisher,address actor,address successor,uint48 compromisedSince)"
    );

    /// @inheritdoc IPublisherRegistry
    uint48 public constant override GUARDIAN_DELAY = 7 days;

    uint8 private constant ALL_SCOPES = 0x0f;

    mapping(address publisher => Freeze freeze) private _freezeOf;
    mapping(address publisher => mapping(address delegate => Delegation delegation)) private _delegationOf;
    mapping(address publisher => Guardian guardian) private _guardianOf;

    constructor() EIP712("PublisherRegistry", "1") {}

    /// @inheritdoc IPublisherRegistry
    function setDelegate(address delegate, uint8 scopes, uint48 expires) external override {
        _setDelegate(msg.sender, delegate, scopes, expires);
    }

    /// @inheritdoc IPublisherRegistry
    function setDelegateWithSignature(
        address delegate,
        uint8 scopes,
        uint48 expires,
        uint256 nonce,
        Signed calldata signed
    ) external override {
        bytes32 structHash = keccak256(
            abi.encode(SET_DELEGATE_TYPEHASH, signed.actor, delegate, scopes, expires, nonce, signed.deadline)
        );
        _checkSignature(signed, nonce, structHash);
        _setDelegate(signed.actor, delegate, scopes, expires);
    }

    /// @inheritdoc IPublisherRegistry
    function setGuardian(address guardian) external override {
        _setGuardian(msg.sender, guardian);
    }

    /// @inheritdoc IPublisherRegistry
    function setGuardianWithSignature(address guardian, uint256 nonce, Signed calldata signed) external override {
        bytes32 structHash = keccak256(
            abi.encode(SET_GUARDIAN_TYPEHASH, signed.actor, guardian, nonce, signed.deadline)
        );
        _checkSignature(signed, nonce, structHash);
        _setGuardian(signed.actor, guardian);
    }

    /// @inheritdoc IPublisherRegistry
    function freeze(address publisher, address successor, uint48 compromisedSince) external override {
        _freeze(msg.sender, publisher, successor, compromisedSince);
    }

    /// @inheritdoc IPublisherRegistry
    function freezeWithSignature(
        address publisher,
        address successor,
        uint48 compromisedSince,
        uint256 nonce,
        Signed calldata signed
    ) external override {
        bytes32 structHash = keccak256(
            abi.encode(FREEZE_TYPEHASH, signed.actor, publisher, successor, compromisedSince, nonce, signed.deadline)
        );
        _checkSignature(signed, nonce, structHash);
        _freeze(signed.actor, publisher, successor, compromisedSince);
    }

    /// @inheritdoc IPublisherRegistry
    function checkAuthority(address publisher, address actor, uint8 scope) external view override {
        _checkNotFrozen(publisher);
        if (actor == publisher) return;
        Delegation storage delegation = _delegationOf[publisher][actor];
        if (delegation.scopes & scope == 0 || block.timestamp >= delegation.expires) {
            revert NotAuthorised(publisher, actor, scope);
        }
        _checkNotFrozen(actor);
    }

    /// @inheritdoc IPublisherRegistry
    function delegationOf(address publisher, address delegate) external view override returns (Delegation memory) {
        return _delegationOf[publisher][delegate];
    }

    /// @inheritdoc IPublisherRegistry
    function guardianOf(address publisher) public view override returns (Guardian memory found) {
        found = _guardianOf[publisher];
        if (found.nextFrom != 0 && block.timestamp >= found.nextFrom) {
            found = Guardian(found.next, found.nextFrom - GUARDIAN_DELAY, address(0), 0);
        }
    }

    /// @inheritdoc IPublisherRegistry
    function freezeOf(address publisher) external view override returns (Freeze memory) {
        return _freezeOf[publisher];
    }

    /// @inheritdoc IPublisherRegistry
    function trustedUntil(address publisher) external view override returns (uint48) {
        Freeze storage found = _freezeOf[publisher];
        return found.frozenAt == 0 ? type(uint48).max : found.compromisedSince;
    }

    function _setDelegate(address publisher, address delegate, uint8 scopes, uint48 expires) private {
        _checkNotFrozen(publisher);
        bool wellFormed =
            scopes == 0
                ? expires == 0
                : scopes & ~ALL_SCOPES == 0 && expires > block.timestamp && delegate != publisher;
        if (!wellFormed || delegate == address(0)) revert InvalidDelegate();

        DelegateRecord memory record = DelegateRecord(
            size,
            uint48(block.timestamp),
            publisher,
            publisher,
            delegate,
            scopes,
            expires
        );
        _delegationOf[publisher][delegate] = Delegation(scopes, expires, record.seq, record.timestamp);
        _append(record.seq, keccak256(abi.encode(DELEGATE_RECORD_TYPEHASH, record)));
        emit DelegateSet(publisher, delegate, record);
    }

    function _setGuardian(address publisher, address guardian) private {
        _checkNotFrozen(publisher);
        if (guardian == publisher) revert InvalidGuardian();
        Guardian memory current = guardianOf(publisher);
        uint48 from = uint48(block.timestamp);
        if (guardian == current.guardian) {
            _guardianOf[publisher] = Guardian(guardian, current.since, address(0), 0);
        } else if (current.guardian == address(0)) {
            _guardianOf[publisher] = Guardian(guardian, from, address(0), 0);
        } else {
            from += GUARDIAN_DELAY;
            _guardianOf[publisher] = Guardian(current.guardian, current.since, guardian, from);
        }

        GuardianRecord memory record = GuardianRecord(
            size,
            uint48(block.timestamp),
            publisher,
            publisher,
            guardian,
            from
        );
        _append(record.seq, keccak256(abi.encode(GUARDIAN_RECORD_TYPEHASH, record)));
        emit GuardianSet(publisher, guardian, record);
    }

    /// @dev A thief could freeze what it stole with a `compromisedSince` after its own records, and so shut the guardian
    /// out. Hence the guardian of that moment may move it earlier, and nobody can move it later. A guardian that was
    /// named within the delay before the freeze may be the thief itself.
    function _freeze(address actor, address publisher, address successor, uint48 compromisedSince) private {
        Freeze memory before = _freezeOf[publisher];
        Guardian memory current = guardianOf(publisher);
        if (actor != publisher && actor != current.guardian) revert NotAuthorised(publisher, actor, 0);
        if (
            before.frozenAt != 0 &&
            (actor == publisher ||
                compromisedSince > before.compromisedSince ||
                before.frozenAt < current.since + GUARDIAN_DELAY)
        ) revert FrozenPublisher(publisher);
        if (actor != publisher) _checkNotFrozen(actor);
        if (successor == publisher) revert InvalidSuccessor(successor);
        if (compromisedSince > block.timestamp) revert InvalidTime(compromisedSince);

        FreezeRecord memory record = FreezeRecord(
            size,
            uint48(block.timestamp),
            publisher,
            actor,
            successor,
            compromisedSince
        );
        uint48 frozenAt = before.frozenAt == 0 ? record.timestamp : before.frozenAt;
        _freezeOf[publisher] = Freeze(successor, frozenAt, compromisedSince);
        // A change of guardian that was under way ends with the publisher.
        if (current.nextFrom != 0) {
            _guardianOf[publisher] = Guardian(current.guardian, current.since, address(0), 0);
        }
        _append(record.seq, keccak256(abi.encode(FREEZE_RECORD_TYPEHASH, record)));
        emit PublisherFrozen(publisher, successor, record);
    }

    function _checkNotFrozen(address publisher) private view {
        if (_freezeOf[publisher].frozenAt != 0) revert FrozenPublisher(publisher);
    }
}
