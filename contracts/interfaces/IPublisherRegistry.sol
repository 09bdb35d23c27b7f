// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAppendOnlyLog} from "./IAppendOnlyLog.sol";
import {ISignedActions} from "./ISignedActions.sol";

/// @title Publishers: who may act for an address, and what happens when its key is lost or stolen
/// @notice A publisher is an address on one chain. It needs no registration and is never reassigned. It may name
/// delegates with limited scopes, and ahead of time a guardian who can freeze it. Freezing is terminal: no registry
/// takes a write from a frozen publisher again. Old records stay; whether to trust a successor is the reader's choice.
/// @dev Scopes are bits: 1 publish (and anchor), 2 status (and withdraw an anchor), 4 grant, 8 statement.
interface IPublisherRegistry is IAppendOnlyLog, ISignedActions {
    /// @notice What a delegate may do, all zero if nothing.
    /// @param scopes Bits of what it may do.
    /// @param expires From this second on it may do nothing.
    /// @param seq, since The record that said so, and its time.
    struct Delegation {
        uint8 scopes;
        uint48 expires;
        uint48 seq;
        uint48 since;
    }

    /// @notice Who can freeze a publisher beside itself.
    /// @param guardian The guardian now, or zero.
    /// @param since When it was named.
    /// @param next Who takes its place at `nextFrom`; meaningless while `nextFrom` is zero.
    /// @param nextFrom When the change takes effect, or zero if none is under way.
    struct Guardian {
        address guardian;
        uint48 since;
        address next;
        uint48 nextFrom;
    }

    /// @notice The end of a publisher, all zero while it is not frozen.
    /// @param successor Who goes on in its place, in the words of whoever froze it; zero if nobody.
    /// @param frozenAt When it was frozen first.
    /// @param compromisedSince Records with a later timestamp may be a thief's.
    struct Freeze {
        address successor;
        uint48 frozenAt;
        uint48 compromisedSince;
    }

    struct DelegateRecord {
        uint48 seq;
        uint48 timestamp;
        address publisher;
        address actor;
        address delegate;
        uint8 scopes;
        uint48 expires;
    }

    /// @param from When `guardian` takes effect.
    struct GuardianRecord {
        uint48 seq;
        uint48 timestamp;
        address publisher;
        address actor;
        address guardian;
        uint48 from;
    }

    struct FreezeRecord {
        uint48 seq;
        uint48 timestamp;
        address publisher;
        address actor;
        address successor;
        uint48 compromisedSince;
    }

    event DelegateSet(address indexed publisher, address indexed delegate, DelegateRecord record);
    event GuardianSet(address indexed publisher, address indexed guardian, GuardianRecord record);
    event PublisherFrozen(address indexed publisher, address indexed successor, FreezeRecord record);

    /// @notice The actor may not do this for the publisher now.
    error NotAuthorised(address publisher, address actor, uint8 scope);
    /// @notice Nothing is taken from this account any more.
    error FrozenPublisher(address publisher);
    /// @notice A delegate is someone else, with known scopes and an expiry to come; or no scopes and no expiry.
    error InvalidDelegate();
    /// @notice A guardian is someone else than the publisher.
    error InvalidGuardian();
    /// @notice A successor is someone else than the publisher.
    error InvalidSuccessor(address successor);
    /// @notice `compromisedSince` is not in the future.
    error InvalidTime(uint48 compromisedSince);

    /// @notice Names a delegate of the caller's, replaces what it may do, or with zero scopes takes it back.
    /// Delegates cannot name delegates, guardians, or freeze.
    function setDelegate(address delegate, uint8 scopes, uint48 expires) external;

    /// @notice The same, signed by `signed.actor`, whose delegate it becomes:
    /// `SetDelegate(address actor,address delegate,uint8 scopes,uint48 expires,uint256 nonce,uint256 deadline)`.
    function setDelegateWithSignature(
        address delegate,
        uint8 scopes,
        uint48 expires,
        uint256 nonce,
        Signed calldata signed
    ) external;

    /// @notice Sets the guardian of the caller. The first takes effect at once; a change or removal waits
    /// `GUARDIAN_DELAY`, during which the guardian of before can still freeze. Setting the guardian of before ends a
    /// change. A guardian that is itself frozen can do nothing, so that two should not be each other's.
    function setGuardian(address guardian) external;

    /// @notice The same, signed by `signed.actor`, whose guardian it becomes:
    /// `SetGuardian(address actor,address guardian,uint256 nonce,uint256 deadline)`.
    function setGuardianWithSignature(address guardian, uint256 nonce, Signed calldata signed) external;

    /// @notice Ends a publisher for good; by itself or its guardian. It does nothing more, also as another's delegate.
    /// What it did for another publisher before stays, whatever the time given, and is that publisher's to take back:
    /// only its anchors of after that time are promoted no more. Once it is frozen, its guardian of then (and nobody
    /// else) may do so again, to move `compromisedSince` earlier, never later, and to name another successor: so a thief
    /// who freezes what it stole does not vouch for its own records. Only a guardian that was named `GUARDIAN_DELAY`
    /// before the freeze or earlier may, so that a thief who names itself does not undo its victim's.
    function freeze(address publisher, address successor, uint48 compromisedSince) external;

    /// @notice The same, signed by `signed.actor`; such a signature can be kept for the day it is needed:
    /// `Freeze(address actor,address publisher,address successor,uint48 compromisedSince,uint256 nonce,uint256 deadline)`.
    function freezeWithSignature(
        address publisher,
        address successor,
        uint48 compromisedSince,
        uint256 nonce,
        Signed calldata signed
    ) external;

    /// @notice How long a change of guardian waits: 7 days, in seconds.
    function GUARDIAN_DELAY() external view returns (uint48);

    /// @notice Reverts with `FrozenPublisher` or `NotAuthorised` unless `actor` may act for `publisher` now: the one
    /// place where every registry asks.
    /// @param scope One bit. Of several, any that the delegate has is enough.
    function checkAuthority(address publisher, address actor, uint8 scope) external view;

    /// @notice What a delegate may do. It may have expired, and the publisher or the delegate may be frozen.
    function delegationOf(address publisher, address delegate) external view returns (Delegation memory);

    /// @notice The guardian now, and the change under way.
    function guardianOf(address publisher) external view returns (Guardian memory);

    /// @notice Whether and how a publisher was frozen (one storage slot).
    function freezeOf(address publisher) external view returns (Freeze memory);

    /// @notice The last second whose records the publisher's key vouches for: `compromisedSince` of one that was
    /// frozen, else 2^48 - 1. A record with a later timestamp may be a thief's.
    function trustedUntil(address publisher) external view returns (uint48);
}
