import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type Cancel, systemClock } from "../../engines/clock.ts";

/** What another server on this port would say. */
export const GARBAGE = "220 mail.example ESMTP ready\r\n";

/** What a link does to the bytes an engine sends, as data, so that a seed or a script can say it. */
export type Toxic =
  /** Each piece waits. */
  | { readonly kind: "latency"; readonly ms: number }
  | { readonly kind: "bandwidth"; readonly bytesPerSecond: number }
  /** Pieces are cut smaller: events and characters come in parts. */
  | { readonly kind: "slice"; readonly bytes: number }
  /** Nothing comes any more, and the connection stays. */
  | { readonly kind: "timeout" }
  /** The connection is reset, or politely ended, after so many bytes more. */
  | { readonly kind: "reset"; readonly afterBytes: number }
  | { readonly kind: "half-close"; readonly afterBytes: number }
  /** Bytes that are no HTTP, in place of what the engine said. */
  | { readonly kind: "garbage" }
  /** Nobody listens. */
  | { readonly kind: "refuse" };

/** A TCP link in front of one engine that can be made bad. Bytes towards the engine always pass. */
export class FaultLink {
  readonly #target: number;
  readonly #pairs = new Set<Pair>();
  #server: Server | null = null;
  #port = 0;
  #toxic: Toxic | null = null;

  constructor(targetUrl: string) {
    this.#target = Number(new URL(targetUrl).port);
  }

  static async open(targetUrl: string): Promise<FaultLink> {
    const link = new FaultLink(targetUrl);
    await link.#listen();
    return link;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get toxic(): Toxic | null {
    return this.#toxic;
  }

  /** Makes the link bad, or good again. Holds for connections that are open and for new ones. */
  async set(toxic: Toxic | null): Promise<void> {
    this.#toxic = toxic;
    for (const pair of this.#pairs) pair.set(toxic);
    if (toxic?.kind === "refuse") await this.#close();
    else if (this.#server === null) await this.#listen();
  }

  async close(): Promise<void> {
    await this.#close();
  }

  #listen(): Promise<void> {
    const server = createServer((near) => {
      const pair = new Pair(near, connect(this.#target, "127.0.0.1"), this.#toxic);
      this.#pairs.add(pair);
      near.once("close", () => {
        this.#pairs.delete(pair);
      });
    });
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, "127.0.0.1", () => {
        this.#port = (server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  #close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const pair of this.#pairs) pair.destroy();
    return new Promise((resolve) => {
      if (server === null) resolve();
      else server.close(() => resolve());
    });
  }
}

/** One connection through the link. */
class Pair {
  readonly #near: Socket;
  readonly #far: Socket;
  /** What was put off, in order. */
  readonly #waiting: { readonly dueMs: number; readonly act: () => void }[] = [];
  #cancel: Cancel = () => {};
  #toxic: Toxic | null;
  #leftBytes = Infinity;
  /** What it swallowed or ended stays so: TCP has no holes, and nothing after its end. */
  #isOver = false;
  /** When the last delayed piece goes out: pieces keep their order. */
  #busyUntilMs = 0;

  constructor(near: Socket, far: Socket, toxic: Toxic | null) {
    this.#near = near;
    this.#far = far;
    this.#toxic = null;
    this.set(toxic);
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.once("close", () => {
        this.destroy();
      });
    }
    near.on("data", (bytes) => far.write(bytes));
    far.on("data", (bytes) => {
      this.#pass(bytes);
    });
    far.on("end", () => {
      this.#after(0, () => near.end());
    });
  }

  set(toxic: Toxic | null): void {
    this.#toxic = toxic;
    const counts = toxic?.kind === "reset" || toxic?.kind === "half-close";
    this.#leftBytes = counts ? toxic.afterBytes : Infinity;
  }

  destroy(): void {
    this.#cancel();
    this.#waiting.length = 0;
    this.#near.destroy();
    this.#far.destroy();
  }

  #pass(bytes: Buffer): void {
    const toxic = this.#toxic;
    if (toxic?.kind === "timeout") this.#isOver = true;
    if (this.#isOver) return;
    if (toxic?.kind === "garbage") {
      this.#end(() => this.#near.end(GARBAGE));
    } else if (toxic?.kind === "slice") {
      for (let at = 0; at < bytes.length; at += toxic.bytes)
        this.#after(0, this.#write(bytes.subarray(at, at + toxic.bytes)));
    } else if (bytes.length > this.#leftBytes) {
      this.#after(0, this.#write(bytes.subarray(0, this.#leftBytes)));
      this.#end(() => {
        if (toxic?.kind === "half-close") this.#near.end();
        else this.#near.resetAndDestroy();
      });
    } else {
      this.#leftBytes -= bytes.length;
      this.#after(delayMs(toxic, bytes, this.#aheadMs()), this.#write(bytes));
    }
  }

  /** The last thing that is done to this side, after all that was put off. */
  #end(act: () => void): void {
    this.#isOver = true;
    this.#after(0, act);
  }

  /** For how long what was put off keeps the link busy. */
  #aheadMs(): number {
    return Math.max(0, this.#busyUntilMs - systemClock.nowMs());
  }

  #write(bytes: Buffer): () => void {
    return () => {
      if (!this.#near.destroyed) this.#near.write(bytes);
    };
  }

  /** Does `act` after `ms`, and never before what was put off earlier: a late timer must not let bytes overtake bytes. */
  #after(ms: number, act: () => void): void {
    const nowMs = systemClock.nowMs();
    this.#busyUntilMs = Math.max(nowMs, this.#busyUntilMs) + ms;
    if (this.#busyUntilMs <= nowMs && this.#waiting.length === 0) {
      act();
      return;
    }
    this.#waiting.push({ dueMs: this.#busyUntilMs, act });
    if (this.#waiting.length === 1) this.#awaitFirst();
  }

  #awaitFirst(): void {
    const [first] = this.#waiting;
    if (first === undefined) return;
    this.#cancel = systemClock.schedule(first.dueMs - systemClock.nowMs(), () => {
      this.#waiting.shift();
      first.act();
      this.#awaitFirst();
    });
  }
}

/** How much later than what is ahead of it a piece goes out: a slow link is slow a byte, a long one only once. */
function delayMs(toxic: Toxic | null, { length }: Buffer, aheadMs: number): number {
  if (toxic?.kind === "latency") return Math.max(0, toxic.ms - aheadMs);
  return toxic?.kind === "bandwidth" ? (1000 * length) / toxic.bytesPerSecond : 0;
}
