// Ponder asks for an API: how many releases there are, that none is missing, and how large its tables have become.
import { Hono } from "hono";
import { count, sql } from "ponder";
import { db } from "ponder:api";
import schema from "ponder:schema";

const SIZE = sql`select sum(pg_total_relation_size(c.oid))::bigint as bytes from pg_class c
  join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r' and n.nspname in ('backfill', 'ponder_sync')`;

const app = new Hono();
app.get("/found", async (context) => {
  const [found] = await db.select({ releases: count() }).from(schema.release);
  const [size] = (await db.execute(SIZE)).rows as { bytes: string }[];
  return context.json({ releases: found.releases, bytes: Number(size.bytes) });
});

export default app;
