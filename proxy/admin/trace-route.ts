import type { Context } from "hono";
import { streamText } from "hono/streaming";
import { PITOT_TRACE_HEAD } from "../../load/trace-formats/pitot.ts";
import { ShapeRecorder } from "../telemetry/shape-recorder.ts";
import type { AdminOptions } from "./app.ts";

/** Rows that may wait for a slow reader: a minute of 500 requests a second. Beyond it the recording ends and says so. */
const ROWS_WAITING_MAX = 30_000;
/** Rows are sent at least this often, so that a recording cut short has lost little. */
const FLUSH_MS = 500;

/** `GET /api/v1/trace`: shapes of the real requests that begin from now on, a line each, until the reader leaves. */
export function recordTrace(context: Context, { telemetry, clock }: AdminOptions): Response {
  context.header("content-type", "application/jsonl");
  context.header("cache-control", "no-store");
  return streamText(context, async (stream) => {
    let waiting: object[] = [PITOT_TRACE_HEAD];
    const tooSlow = new AbortController();
    const recorder = new ShapeRecorder(clock.nowMs(), (row) => {
      if (waiting.length < ROWS_WAITING_MAX) waiting.push(row);
      else tooSlow.abort();
    });
    const unlisten = telemetry.listen(recorder);
    stream.onAbort(unlisten);
    try {
      while (!stream.aborted && !tooSlow.signal.aborted) {
        const rows = waiting;
        waiting = [];
        // The end line is repeated with every batch: whenever the reader leaves, the last one is right.
        const lines = [...rows, recorder.end()].map((row) => `${JSON.stringify(row)}\n`);
        if (rows.length > 0) await stream.write(lines.join(""));
        await clock.after(FLUSH_MS);
      }
    } finally {
      unlisten();
    }
    if (tooSlow.signal.aborted)
      await stream.write(`${JSON.stringify({ error: "the reader was too slow" })}\n`);
  });
}
