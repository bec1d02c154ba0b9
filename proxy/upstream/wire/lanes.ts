import type { ConnectionOptions as TlsSocketOptions } from "node:tls";
import type { Cancel, Clock } from "../../../engines/clock.ts";
import { type Destination, Lane, type LaneOwner, type Traveller } from "./lane.ts";
import { WireError } from "./wire-error.ts";
import type { WireRequest } from "./wire-request.ts";

/** Connections to one replica at most: above an engine's batch more would only wait inside it. */
export const CONNECTIONS_MAX = 1024;
/** All four engines close idle connections after 5 s; ours must be the first to let go. */
export const KEEP_ALIVE_MS = 3_000;
/** As long before the time an engine names: its clock and the way there are not ours. */
const KEEP_ALIVE_MARGIN_MS = 2_000;
/** One read of all lanes together: what the kernel hands out at most. */
const READ_BYTES = 65_536;
/** libuv starts reads ahead of time there, so lanes cannot share what they read into. */
const READS_AHEAD = process.platform === "win32";

/** A lane nobody uses, and until when it can be. */
interface Idle {
  readonly lane: Lane;
  readonly untilMs: number;
}

/** A request for which there is no lane yet. */
interface Waiting {
  readonly request: WireRequest;
  readonly traveller: Traveller;
}

/** The connections to one replica: the one used last is used next, so that those too many grow old and close. */
export class Lanes implements LaneOwner {
  readonly #destination: Destination;
  readonly #open = new Set<Lane>();
  readonly #idle: Idle[] = [];
  readonly #waiting: Waiting[] = [];
  #cancelSweep: Cancel | null = null;
  #isClosing = false;
  #emptied: () => void = () => {};

  constructor(origin: string, clock: Clock, tls: TlsSocketOptions) {
    const { protocol, hostname, port, host } = new URL(origin);
    const isTls = protocol === "https:";
    this.#destination = {
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port || (isTls ? 443 : 80)),
      host,
      tls: isTls ? tls : null,
      ticket: { session: null },
      clock,
      readInto: READS_AHEAD ? null : Buffer.allocUnsafeSlow(READ_BYTES),
    };
  }

  /** Sends a request over a lane that is free, a new one, or, when there are as many as there may be, the next to be free. */
  carry(request: WireRequest, traveller: Traveller): void {
    const lane = this.#takeIdle();
    if (lane !== null) lane.take(request, traveller);
    else if (this.#open.size < CONNECTIONS_MAX) this.carryAfresh(request, traveller);
    else this.#waiting.push({ request, traveller });
  }

  /** Sends a request over a connection that has carried nothing yet. */
  carryAfresh(request: WireRequest, traveller: Traveller): void {
    const lane = new Lane(this.#destination, this);
    this.#open.add(lane);
    lane.take(request, traveller);
  }

  freed(lane: Lane): void {
    const next = this.#nextWaiting();
    if (next !== null) return lane.take(next.request, next.traveller);
    const { clock } = this.#destination;
    const forMs = Math.min(KEEP_ALIVE_MS, lane.idleMsMax - KEEP_ALIVE_MARGIN_MS);
    if (this.#isClosing || forMs <= 0) return lane.destroy();
    this.#idle.push({ lane, untilMs: clock.nowMs() + forMs });
    this.#cancelSweep ??= clock.schedule(KEEP_ALIVE_MS, () => {
      this.#sweep();
    });
  }

  closed(lane: Lane): void {
    this.#open.delete(lane);
    const at = this.#idle.findIndex((idle) => idle.lane === lane);
    if (at !== -1) this.#idle.splice(at, 1);
    const next = this.#open.size < CONNECTIONS_MAX ? this.#nextWaiting() : null;
    if (next !== null) this.carryAfresh(next.request, next.traveller);
    if (this.#open.size === 0) this.#emptied();
  }

  /** Lets what runs finish and keeps no connection after it. */
  close(): void {
    this.#isClosing = true;
    this.#cancelSweep?.();
    for (const { lane } of this.#idle) lane.destroy();
  }

  /** Cuts everything. Resolves when no connection is left. */
  async destroy(): Promise<void> {
    this.close();
    const gone = new WireError("gone", "the replica was let go");
    for (const { traveller } of this.#waiting.splice(0)) traveller.failed(gone);
    if (this.#open.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    for (const lane of this.#open) lane.destroy(gone);
    await empty;
  }

  #takeIdle(): Lane | null {
    if (this.#idle.length === 0) return null;
    const nowMs = this.#destination.clock.nowMs();
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.lane.isUsable && idle.untilMs > nowMs) return idle.lane;
      idle.lane.destroy();
    }
    return null;
  }

  #nextWaiting(): Waiting | null {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift())
      if (!next.traveller.isOver) return next;
    return null;
  }

  /** Closes what has been idle for its time; looks again while anything is. */
  #sweep(): void {
    this.#cancelSweep = null;
    const nowMs = this.#destination.clock.nowMs();
    for (const { lane, untilMs } of this.#idle) if (untilMs <= nowMs) lane.destroy();
    if (this.#idle.length === 0) return;
    this.#cancelSweep = this.#destination.clock.schedule(KEEP_ALIVE_MS / 3, () => {
      this.#sweep();
    });
  }
}
