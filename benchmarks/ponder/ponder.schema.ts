// The columns of `releases` in registry/index/schema.py, with its key and indexes. Ponder adds indexes after a backfill.
import { index, onchainTable } from "ponder";

export const release = onchainTable(
  "releases",
  (t) => ({
    releaseId: t.hex().primaryKey(),
    seq: t.bigint().notNull(),
    blockNumber: t.bigint().notNull(),
    logIndex: t.integer().notNull(),
    blockHash: t.hex().notNull(),
    transactionHash: t.hex().notNull(),
    timestamp: t.bigint().notNull(),
    actor: t.hex().notNull(),
    since: t.bigint().notNull(),
    publisher: t.hex().notNull(),
    name: t.text().notNull(),
    version: t.text().notNull(),
    artifact: t.hex().notNull(),
    manifest: t.hex().notNull(),
    terms: t.hex().notNull(),
    trainingData: t.hex().notNull(),
  }),
  (table) => ({
    byArtifact: index().on(table.artifact, table.since, table.seq),
    byArtifactAndPublisher: index().on(table.artifact, table.publisher, table.seq),
    byPublisher: index().on(table.publisher, table.name, table.seq),
    byName: index().on(table.name, table.publisher, table.seq),
    byBlock: index().on(table.blockNumber),
  }),
);
