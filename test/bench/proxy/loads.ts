import { nothingSeen, type RawClient, requestBytes, type Seen } from "./client.ts";
import type { BenchEngine } from "./routes.ts";

/** One kind of traffic, and which of its figures mean something. */
export interface Load {
  readonly name: string;
  /** Events one run sends through; 0 for traffic that is not about events. */
  readonly events: number;
  /** Streams open at once, for memory per stream; 0 when that is not looked at. */
  readonly streams: number;
  /** Unmeasured runs right before each measured one. */
  readonly warmUps: number;
  run(client: RawClient, halfway: () => void): Promise<Seen>;
}

/** Streams one light user asks for. */
const LIGHT_ROUNDS = 150;
/** 40 tokens a second, as a busy H100 gives each of its streams. */
const GAP_MS = 25;
/** Streams of one load begin within this time. */
const RAMP_MS = 1_000;
const LONG_TEXT = "x".repeat(1_000_000);

function streaming(count: number, events: number): Load {
  const body = requestBytes({ stream: true, bench_events: events, bench_gap_ms: GAP_MS });
  return {
    name: `${count} streams`,
    events: count * (events + 1),
    streams: count,
    warmUps: 0,
    async run(client, halfway) {
      const seen = nothingSeen();
      const timer = setTimeout(halfway, (events * GAP_MS) / 2);
      // Independent clients do not arrive as one: the fleet of them fills within a second.
      await Promise.all(
        Array.from({ length: count }, async (_, index) => {
          await after((index * RAMP_MS) / count);
          await client.post(body, seen);
        }),
      );
      clearTimeout(timer);
      return seen;
    },
  };
}

/** One short stream after another on each of `users` connections: first bytes without any crowd. */
function light(users: number): Load {
  const events = 5;
  const body = requestBytes({ stream: true, bench_events: events, bench_gap_ms: 4 });
  return {
    name: `light, ${users} at a time`,
    events: users * LIGHT_ROUNDS * (events + 1),
    streams: 0,
    warmUps: 0,
    async run(client) {
      const seen = nothingSeen();
      await Promise.all(
        Array.from({ length: users }, async (_, index) => {
          await after(index * 3);
          for (let round = 0; round < LIGHT_ROUNDS; round++) await client.post(body, seen);
        }),
      );
      return seen;
    },
  };
}

interface ShortLoad {
  readonly warmUps: number;
  /** Makes the prompt longer. */
  readonly padding?: string;
}

function short(name: string, count: number, { warmUps, ...fields }: ShortLoad): Load {
  const body = requestBytes(fields);
  return {
    name,
    events: 0,
    streams: 0,
    warmUps,
    async run(client) {
      const seen = nothingSeen();
      let left = count;
      await Promise.all(
        Array.from({ length: 16 }, async () => {
          while (left-- > 0) await client.post(body, seen);
        }),
      );
      return seen;
    },
  };
}

const SHORT_REQUESTS = 12_000;
/** Until V8 has compiled what short answers need, again after other loads: 24,000 requests, of which the first take three times as long. */
const SHORT_WARM_UPS = 2;

/** Every load of the bench, lightest first. */
export const loads: readonly Load[] = [
  light(1),
  light(4),
  streaming(100, 80),
  streaming(500, 80),
  streaming(1000, 120),
  short("short, c=16", SHORT_REQUESTS, { warmUps: SHORT_WARM_UPS }),
  short("1 MB prompts, c=16", 160, { warmUps: 1, padding: LONG_TEXT }),
];

/** Hang-ups in mid-stream: from the client's to the engine's end, in ms. */
export async function abortLatencies(client: RawClient, engine: BenchEngine): Promise<number[]> {
  const latencies: number[] = [];
  let leftAtMs: number | null = null;
  let reached: () => void = () => {};
  const forget = engine.onAborted((atMs) => {
    // One that nobody waits for is the end of a route measured before.
    if (leftAtMs === null) return;
    latencies.push(atMs - leftAtMs);
    leftAtMs = null;
    reached();
  });
  const body = requestBytes({ stream: true, bench_events: 400, bench_gap_ms: GAP_MS });
  for (let index = 0; index < ABORTS; index++) {
    const arrived = new Promise<void>((resolve) => {
      reached = resolve;
    });
    await client.post(body, nothingSeen(), 30 + (index % 7));
    leftAtMs = performance.timeOrigin + performance.now();
    await Promise.race([arrived, after(2_000)]);
  }
  forget();
  return latencies;
}

const ABORTS = 40;

function after(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
