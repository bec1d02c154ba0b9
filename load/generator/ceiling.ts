import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Clock } from "../../engines/clock.ts";
import type { Target } from "../target.ts";

/** Streams opened against the fake engine. */
const STREAMS = 32;

/**
 * What this machine can read over loopback, in events per second: a thread floods streams as fast as sockets take them,
 * and the generator's own target reads them. A point beyond half of it says more of the generator than of the engine.
 */
export async function loopbackCeiling(
  clock: Clock,
  open: (url: string) => Promise<Target & { close(): Promise<void> }>,
): Promise<number> {
  const file = import.meta.url.endsWith(".ts") ? "./flood-worker.ts" : "./flood-worker.js";
  const worker = new Worker(new URL(file, import.meta.url));
  const [port] = (await once(worker, "message")) as [number];
  const target = await open(`http://127.0.0.1:${port}`);
  try {
    const startedMs = clock.nowMs();
    const exchanges = await Promise.all(
      Array.from({ length: STREAMS }, () =>
        target.send(
          {
            route: "chat",
            body: { messages: [{ role: "user", content: "flood" }] },
            inputTokens: 1,
            outputTokens: 1,
            session: null,
            plannedMs: clock.nowMs(),
            label: "self-test",
          },
          new AbortController().signal,
        ),
      ),
    );
    const seconds = (clock.nowMs() - startedMs) / 1000;
    return exchanges.reduce((sum, exchange) => sum + exchange.outputEvents, 0) / seconds;
  } finally {
    await target.close();
    await worker.terminate();
  }
}
