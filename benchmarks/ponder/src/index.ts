// One row for each release, as registry/index/fold.py makes them.
import { ponder } from "ponder:registry";
import { release } from "ponder:schema";

ponder.on("ModelRegistry:ReleasePublished", async ({ event, context }) => {
  const { releaseId, seq, timestamp, actor, since, release: published } = event.args as any;
  const { publisher, name, version, artifact, manifest, terms, trainingData } = published;
  await context.db.insert(release).values({
    releaseId,
    seq: BigInt(seq),
    blockNumber: event.block.number,
    logIndex: event.log.logIndex,
    blockHash: event.block.hash,
    transactionHash: event.transaction.hash,
    timestamp: BigInt(timestamp),
    actor,
    since: BigInt(since),
    publisher,
    name,
    version,
    artifact,
    manifest,
    terms,
    trainingData,
  });
});
