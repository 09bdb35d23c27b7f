// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {AppendOnlyLog} from "./AppendOnlyLog.sol";
import {SignedActions} from "./SignedActions.sol";
import {IPublisherRegistry} from "./interfaces/IPublisherRegistry.sol";
import {IStatementRegistry} from "./interfaces/IStatementRegistry.sol";

/// @title Statements about any subject
/// @dev Storage (proofs rely on it; a test asserts it against the compiler's layout):
///   slot 0  head              bytes32
///   slot 1  size              uint48
///   slot 1  deployedAt        uint48
///   slot 2  _nameFallback     string
///   slot 3  _versionFallback  string
///   slot 4  _usedNonces       mapping(address actor => mapping(uint256 word => uint256 bits))
///   slot 5  _statementOf      mapping(bytes32 statementId => StatementEntry)
///
/// Words that hold several fields, from the lowest bit on, with widths in bits:
/// slot 1          | size 48 | deployedAt 48 |
/// StatementEntry  | issuer 160 | since 48 | expires 48 |      no slot = never made; expires 0 = retracted
contract StatementRegistry is IStatementRegistry, AppendOnlyLog, SignedActions {
    bytes32 internal constant STATEMENT_ID_TYPEHASH = keccak256(
        "StatementId(uint256 chainId,address registry,address issuer,uint8 kind,uint8 subjectKind,bytes32 subject,bytes32 document,uint48 expires)"
    );
    bytes32 internal constant STATEMENT_TYPEHASH = keccak256(
        "Statement(address issuer,uint8 kind,uint8 subjectKind,bytes32 subject,bytes32 document,uint48 expires)"
    );
    bytes32 internal constant ATTEST_TYPEHASH = keccak256(
        "Attest(address actor,Statement statement,uint256 deadline)Statement(address issuer,uint8 kind,uint8 subjectKind,bytes32 subject,bytes32 document,uint48 expires)"
    );
    bytes32 internal constant RETRACT_TYPEHASH = keccak256(
        "Retract(address actor,bytes32 statementId,uint256 nonce,uint256 deadline)"
    );
    bytes32 internal constant STATEMENT_RECORD_TYPEHASH = keccak256(
        "StatementRecord(uint48 seq,uint48 timestamp,address issuer,address actor,uint8 kind,uint8 subjectKind,bytes32 subject,bytes32 document,uint48 expires)"
    );
    bytes32 internal constant RETRACTION_RECORD_TYPEHASH = keccak256(
        "RetractionRecord(uint48 seq,uint48 timestamp,address issuer,address actor,bytes32 statementId)"
    );

    uint8 private constant SCOPE_STATEMENT = 8;

    /// @inheritdoc IStatementRegistry
    IPublisherRegistry public immutable override publisherRegistry;

    mapping(bytes32 statementId => StatementEntry entry) private _statementOf;

    constructor(IPublisherRegistry publishers) EIP712("StatementRegistry", "1") {
        publisherRegistry = publishers;
    }

    /// @inheritdoc IStatementRegistry
    function attest(Statement calldata statement) external override returns (bytes32) {
        return _attest(statement, msg.sender);
    }

    /// @inheritdoc IStatementRegistry
    function attestWithSignature(
        Statement calldata statement,
        Signed calldata signed
    ) external override returns (bytes32) {
        bytes32 statementHash = keccak256(abi.encode(STATEMENT_TYPEHASH, statement));
        _checkSignature(signed, keccak256(abi.encode(ATTEST_TYPEHASH, signed.actor, statementHash, signed.deadline)));
        return _attest(statement, signed.actor);
    }

    /// @inheritdoc IStatementRegistry
    function retract(bytes32 statementId) external override {
        _retract(statementId, msg.sender);
    }

    /// @inheritdoc IStatementRegistry
    function retractWithSignature(bytes32 statementId, uint256 nonce, Signed calldata signed) external override {
        _checkSignature(
            signed,
            nonce,
            keccak256(abi.encode(RETRACT_TYPEHASH, signed.actor, statementId, nonce, signed.deadline))
        );
        _retract(statementId, signed.actor);
    }

    /// @inheritdoc IStatementRegistry
    function isInForce(bytes32 statementId) external view override returns (bool) {
        StatementEntry memory entry = _statementOf[statementId];
        // One that was never made, or was retracted, expired at zero.
        return block.timestamp < entry.expires && entry.since <= publisherRegistry.trustedUntil(entry.issuer);
    }

    /// @inheritdoc IStatementRegistry
    function statementOf(bytes32 statementId) external view override returns (StatementEntry memory) {
        return _statementOf[statementId];
    }

    /// @inheritdoc IStatementRegistry
    function statementIdOf(Statement calldata statement) public view override returns (bytes32) {
        return keccak256(abi.encode(STATEMENT_ID_TYPEHASH, block.chainid, address(this), statement));
    }

    function _attest(Statement calldata statement, address actor) private returns (bytes32 statementId) {
        publisherRegistry.checkAuthority(statement.issuer, actor, SCOPE_STATEMENT);
        if (
            statement.kind == Kind.None ||
            statement.subjectKind == SubjectKind.None ||
            statement.subject == 0 ||
            statement.document == 0 ||
            statement.expires <= block.timestamp
        ) revert InvalidStatement();
        statementId = statementIdOf(statement);
        if (_statementOf[statementId].since != 0) revert StatementExists(statementId);

        StatementRecord memory record = StatementRecord(
            size,
            uint48(block.timestamp),
            statement.issuer,
            actor,
            statement.kind,
            statement.subjectKind,
            statement.subject,
            statement.document,
            statement.expires
        );
        _statementOf[statementId] = StatementEntry(record.issuer, record.timestamp, record.expires);
        _append(record.seq, keccak256(abi.encode(STATEMENT_RECORD_TYPEHASH, record)));
        emit StatementMade(statementId, record.issuer, record.subject, record);
    }

    function _retract(bytes32 statementId, address actor) private {
        StatementEntry memory entry = _statementOf[statementId];
        if (entry.since == 0) revert UnknownStatement(statementId);
        if (entry.expires == 0) revert StatementIsRetracted(statementId);
        publisherRegistry.checkAuthority(entry.issuer, actor, SCOPE_STATEMENT);

        RetractionRecord memory record = RetractionRecord(
            size,
            uint48(block.timestamp),
            entry.issuer,
            actor,
            statementId
        );
        _statementOf[statementId].expires = 0;
        _append(record.seq, keccak256(abi.encode(RETRACTION_RECORD_TYPEHASH, record)));
        emit StatementRetracted(statementId, entry.issuer, record);
    }
}
