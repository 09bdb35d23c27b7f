// Everything comes from the benchmark, by the environment: which chain, which contract, where the database is.
import { readFileSync } from "node:fs";
import { createConfig } from "ponder";

const { abi } = JSON.parse(readFileSync(process.env.BACKFILL_ARTIFACT!, "utf8"));

export default createConfig({
  database: { kind: "pglite", directory: process.env.BACKFILL_DATABASE! },
  chains: { dev: { id: Number(process.env.BACKFILL_CHAIN), rpc: process.env.BACKFILL_RPC! } },
  contracts: {
    ModelRegistry: {
      abi,
      chain: "dev",
      address: process.env.BACKFILL_ADDRESS as `0x${string}`,
      startBlock: Number(process.env.BACKFILL_FIRST),
      endBlock: Number(process.env.BACKFILL_LAST),
    },
  },
});
