// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAppendOnlyLog} from "./IAppendOnlyLog.sol";
import {IPublisherRegistry} from "./IPublisherRegistry.sol";
import {ISignedActions} from "./ISignedActions.sol";

/// @title Statements: what anyone signs about a subject
/// @notice Anyone may state anything about anything. A statement proves who said what and when, never that it is true:
/// a reader decides by the issuers it trusts. A dispute is a statement; so is the answer to it, whose subject is the
/// dispute, and the ruling on it.
interface IStatementRegistry is IAppendOnlyLog, ISignedActions {
    /// @notice What is said. `None` is refused. The document says the rest.
    enum Kind {
        None,
        Evaluation,
        Audit,
        Endorsement,
        Dispute,
        Answer,
        RulingUpheld,
        RulingDismissed
    }

    /// @notice What a subject is. `None` is refused. An account is its address in the lowest 160 bits.
    enum SubjectKind {
        None,
        Artifact,
        File,
        Release,
        Terms,
        Account,
        Statement,
        Dataset,
        Anchor
    }

    /// @param issuer Whose statement it is.
    /// @param subject Digest or id of what it is about.
    /// @param document sha2-256 of the document that holds what is stated; never zero.
    /// @param expires From this second on it is not in force; 2^48 - 1 for never.
    struct Statement {
        address issuer;
        Kind kind;
        SubjectKind subjectKind;
        bytes32 subject;
        bytes32 document;
        uint48 expires;
    }

    /// @notice A statement in storage, all zero if there is none.
    /// @param since When it was recorded.
    /// @param expires As stated, or zero when it was retracted.
    struct StatementEntry {
        address issuer;
        uint48 since;
        uint48 expires;
    }

    struct StatementRecord {
        uint48 seq;
        uint48 timestamp;
        address issuer;
        address actor;
        Kind kind;
        SubjectKind subjectKind;
        bytes32 subject;
        bytes32 document;
        uint48 expires;
    }

    struct RetractionRecord {
        uint48 seq;
        uint48 timestamp;
        address issuer;
        address actor;
        bytes32 statementId;
    }

    event StatementMade(
        bytes32 indexed statementId,
        address indexed issuer,
        bytes32 indexed subject,
        StatementRecord record
    );
    event StatementRetracted(bytes32 indexed statementId, address indexed issuer, RetractionRecord record);

    /// @notice A statement has a kind, a subject with its kind, a document, and an expiry to come.
    error InvalidStatement();
    /// @notice This was stated already; also when it was retracted since.
    error StatementExists(bytes32 statementId);
    /// @notice No statement has this id.
    error UnknownStatement(bytes32 statementId);
    /// @notice It was retracted already.
    error StatementIsRetracted(bytes32 statementId);

    /// @notice Makes a statement of the caller's, or of an issuer whose delegate (scope 8) it is.
    /// @return statementId `statementIdOf(statement)`.
    function attest(Statement calldata statement) external returns (bytes32 statementId);

    /// @notice The same, signed by `signed.actor`: `Attest(address actor,Statement statement,uint256 deadline)`.
    function attestWithSignature(
        Statement calldata statement,
        Signed calldata signed
    ) external returns (bytes32 statementId);

    /// @notice Takes back a statement, for good.
    function retract(bytes32 statementId) external;

    /// @notice The same, signed by `signed.actor`:
    /// `Retract(address actor,bytes32 statementId,uint256 nonce,uint256 deadline)`.
    function retractWithSignature(bytes32 statementId, uint256 nonce, Signed calldata signed) external;

    /// @notice Whether it exists, is neither retracted nor expired, and its issuer was not compromised before it.
    /// The caller must compare the issuer with one it trusts.
    function isInForce(bytes32 statementId) external view returns (bool);

    /// @notice A statement in storage.
    function statementOf(bytes32 statementId) external view returns (StatementEntry memory);

    /// @notice The id of a statement, known before it is made. It binds chain, contract and all that is stated.
    function statementIdOf(Statement calldata statement) external view returns (bytes32);

    /// @notice Who may act for whom.
    function publisherRegistry() external view returns (IPublisherRegistry);
}
