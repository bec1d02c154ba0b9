import { type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import { systemClock } from "../../engines/clock.ts";
import { integer, type Random, seededRandom } from "../../engines/random.ts";
import { chatBody, JSON_HEADERS } from "../harness/fleet.ts";

/** What clients do, as shares of them: most stream and listen to the end. */
const HANG_UP_SHARE = 0.15;
const SLOW_SHARE = 0.05;
const UNSTREAMED_SHARE = 0.2;
/** A slow reader stops over so many pieces. */
const SLOW_PIECES = 20;
const TOKENS = { min: 20, spread: 200 } as const;

/** What engines do, as `pitot sim --fault` reads it: one request in ten meets one of these. */
export const ENGINE_FAULTS: readonly string[] = [
  "status:status=503,share=0.03",
  "status:status=500,share=0.02",
  "cut:afterTokens=20,how=rst,share=0.02",
  "error-event:afterTokens=10,share=0.02",
  "garbage:share=0.01",
];

export interface TrafficOptions {
  /** Requests under way at one time: each client asks again when its answer has ended. */
  readonly streams: number;
  /** In all; without end when left out. */
  readonly requests?: number;
  /** Who hangs up does so within this time. */
  readonly hangUpWithinMs: number;
  /** How long a slow reader stops over each of its first pieces. */
  readonly slowReadMs: number;
  readonly signal?: AbortSignal;
}

/** One request of the mix. */
interface Asking {
  readonly tokens: number;
  readonly streamed: boolean;
  readonly slowReadMs: number | null;
  readonly hangUpMs: number;
}

/** Clients that come, listen, dawdle and leave as real ones do. Resolves when the last one has gone. */
export async function mixedTraffic(origin: string, options: TrafficOptions): Promise<void> {
  const { streams, requests = Infinity, signal } = options;
  let left = requests;
  const isOver = (): boolean => left <= 0 || signal?.aborted === true;
  const client = async (seed: number): Promise<void> => {
    const random = seededRandom(seed);
    while (!isOver()) {
      left--;
      await ask(origin, drawn(random, options), signal);
    }
  };
  await Promise.all(Array.from({ length: streams }, (_, index) => client(index + 1)));
}

function drawn(random: Random, { hangUpWithinMs, slowReadMs }: TrafficOptions): Asking {
  return {
    tokens: TOKENS.min + integer(random, TOKENS.spread),
    streamed: random.next() >= UNSTREAMED_SHARE,
    slowReadMs: random.next() < SLOW_SHARE ? slowReadMs : null,
    hangUpMs: random.next() < HANG_UP_SHARE ? random.next() * hangUpWithinMs : Infinity,
  };
}

function ask(origin: string, asking: Asking, signal: AbortSignal | undefined): Promise<void> {
  const { tokens, streamed, slowReadMs, hangUpMs } = asking;
  return new Promise((resolve) => {
    const request = httpRequest(`${origin}/v1/chat/completions`, {
      method: "POST",
      headers: JSON_HEADERS,
      agent: false,
    });
    const hangUp = (): void => void request.destroy();
    const cancel = hangUpMs === Infinity ? () => {} : systemClock.schedule(hangUpMs, hangUp);
    signal?.addEventListener("abort", hangUp, { once: true });
    listen(request, slowReadMs);
    request.on("close", () => {
      cancel();
      signal?.removeEventListener("abort", hangUp);
      resolve();
    });
    request.end(chatBody({ tokens, stream: streamed }));
  });
}

/** Takes in what comes; what goes wrong is part of the mix. */
function listen(request: ClientRequest, slowReadMs: number | null): void {
  request.on("error", () => {});
  request.on("response", (response) => {
    response.on("error", () => {});
    if (slowReadMs === null) response.resume();
    else dawdle(response, slowReadMs);
  });
}

function dawdle(response: IncomingMessage, slowReadMs: number): void {
  let pieces = 0;
  response.on("data", () => {
    if (++pieces > SLOW_PIECES) return;
    response.pause();
    systemClock.schedule(slowReadMs, () => response.resume());
  });
}
