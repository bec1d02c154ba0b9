import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { EncodedFrame, type Encoding, encodings } from "./encoded-frame.ts";
import { EncodedSnapshot } from "./encoded-snapshot.ts";
import { RESUME_FRAMES, type Tick, type TickFrame } from "./frames.ts";
import { type LiveSource, LiveState } from "./live-state.ts";
import { Viewer } from "./viewer.ts";

/** Viewers at once: a wall of screens, not an attack. */
export const VIEWERS_MAX = 100;
const PING_EVERY_TICKS = 15;
/** What a viewer may send: nothing it needs is longer. */
const MESSAGE_BYTES_MAX = 65_536;
/** ws's own limits are 16 384 and 262 144: a peer sending tiny fragments would pin megabytes (ws issue 2331). */
const FRAGMENTS_MAX = 16;
const CHUNKS_MAX = 256;
/** How long a viewer may take to answer a close; an option of ws 8.19 its types do not know yet. */
const UNTYPED = { closeTimeout: 2_000 };
/** Close code for a server that is going away (RFC 6455 §7.4.1). */
const GOING_AWAY = 1001;

export type HubOptions = LiveSource;

/** Sends the fleet to whoever watches, once a second. A frame is made and encoded once for all. */
export class LiveHub {
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: MESSAGE_BYTES_MAX,
    maxFragments: FRAGMENTS_MAX,
    maxBufferedChunks: CHUNKS_MAX,
    ...UNTYPED,
    perMessageDeflate: false,
    clientTracking: false,
  });
  readonly #viewers = new Set<Viewer>();
  readonly #state: LiveState;
  readonly #bootId: string;
  readonly #stopTicks: () => void;
  /** The last frames, for viewers that were too slow or lost their connection. */
  #frames: TickFrame[] = [];
  /** Nobody has watched yet: nothing is collected before the first viewer. */
  #unwatchedTicks = RESUME_FRAMES;
  #snapshot: EncodedSnapshot | null = null;

  constructor(options: HubOptions) {
    this.#bootId = options.bootId;
    this.#state = new LiveState(options);
    options.telemetry.listen(this.#state);
    this.#stopTicks = options.telemetry.onTick((tick, judged) => {
      this.#tick(tick, judged);
    });
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  /** Takes over an upgrade request whose origin was checked. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#viewers.size >= VIEWERS_MAX) {
      socket.end("HTTP/1.1 503 Too Many Viewers\r\nretry-after: 10\r\nconnection: close\r\n\r\n");
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (ws) => {
      this.#join(ws, new URL(request.url ?? "/", "http://admin").searchParams);
    });
  }

  stop(): void {
    this.#stopTicks();
    for (const viewer of this.#viewers) viewer.close(GOING_AWAY, "the proxy is stopping");
    for (const viewer of this.#viewers) viewer.terminate();
    this.#viewers.clear();
  }

  #join(socket: WebSocket, asked: URLSearchParams): void {
    this.#state.wake();
    this.#unwatchedTicks = 0;
    const encoding: Encoding = encodings.find((one) => one === asked.get("encoding")) ?? "json";
    const viewer = new Viewer(socket, encoding, (gone) => {
      this.#viewers.delete(gone);
    });
    this.#viewers.add(viewer);
    const after =
      asked.get("boot") === this.#bootId ? Number(asked.get("after") ?? Number.NaN) : Number.NaN;
    this.#bringUpToDate(viewer, after);
  }

  /** What came after the frame it has; everything, when that is too long ago. */
  #bringUpToDate(viewer: Viewer, after: number): void {
    const { sequence } = this.#state;
    if (after === sequence) {
      viewer.sequence = sequence;
      return;
    }
    const frame = this.#framesAfter(after);
    if (frame !== null) {
      viewer.send(new EncodedFrame(frame));
      return;
    }
    viewer.sendSnapshot(this.#encodedSnapshot(), () => {
      this.#bringUpToDate(viewer, viewer.sequence);
    });
  }

  #tick(tick: Tick, judged: boolean): void {
    if (this.#viewers.size > 0) this.#unwatchedTicks = 0;
    else if (++this.#unwatchedTicks > RESUME_FRAMES) {
      this.#frames = [];
      this.#state.sleep();
      // Sequence numbers go on, so that a viewer of before is not mistaken for one that is up to date.
      this.#state.sequence++;
      return;
    }
    const frame = this.#state.tick(tick, judged);
    this.#frames.push(frame);
    if (this.#frames.length > RESUME_FRAMES) this.#frames.shift();
    if (this.#viewers.size === 0) return;
    const encoded = new EncodedFrame(frame);
    const previous = frame.sequence - 1;
    for (const viewer of this.#viewers) {
      if (viewer.isReady()) {
        if (viewer.sequence === previous) viewer.send(encoded);
        else this.#bringUpToDate(viewer, viewer.sequence);
      }
      if (frame.sequence % PING_EVERY_TICKS === 0) viewer.ping();
    }
  }

  /** All frames after one as a single one: the latest of what is whole each time, and every second in between. */
  #framesAfter(sequence: number): TickFrame | null {
    const frames = this.#frames.filter((frame) => frame.sequence > sequence);
    const last = frames.at(-1);
    if (last === undefined || frames[0]?.sequence !== sequence + 1) return null;
    const slos = frames.findLast((frame) => frame.slos !== undefined)?.slos;
    const there = new Set(this.#state.replicas.map((view) => view.id));
    return {
      ...last,
      missed: frames.slice(0, -1).map((frame) => frame.tick),
      replicas: this.#state.replicas,
      removed: [...new Set(frames.flatMap((frame) => frame.removed))].filter(
        (id) => !there.has(id),
      ),
      ended: frames.toReversed().flatMap((frame) => frame.ended),
      events: frames.flatMap((frame) => frame.events),
      ...(slos === undefined ? {} : { slos }),
    };
  }

  /** A hundred boards that reconnect at once get the same bytes. */
  #encodedSnapshot(): EncodedSnapshot {
    if (this.#snapshot?.sequence !== this.#state.sequence)
      this.#snapshot = new EncodedSnapshot(this.#state.snapshot());
    return this.#snapshot;
  }
}
