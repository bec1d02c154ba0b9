import type { WebSocket } from "ws";
import type { EncodedFrame, Encoding } from "./encoded-frame.ts";
import type { EncodedSnapshot } from "./encoded-snapshot.ts";

/** A viewer with this much unsent is not sent more: it gets what it missed, merged, when it has caught up. */
const BUFFERED_BYTES_MAX = 262_144;
/** Pings left without an answer before a viewer counts as gone (half-open connection). */
const PINGS_UNANSWERED_MAX = 2;
/** Ticks a viewer may be unable to take anything before it is let go. */
const BLOCKED_TICKS_MAX = 10;
/** Messages and pings of one viewer in a second; a board sends none. */
const MESSAGES_PER_TICK_MAX = 50;
/** "Try again later", "internal error" and "policy violation" (IANA WebSocket close codes; RFC 6455 §7.4.1). */
const TRY_AGAIN = 1013;
const INTERNAL_ERROR = 1011;
const POLICY_VIOLATION = 1008;

/** One connection of a board. */
export class Viewer {
  /** The last frame it was sent. */
  sequence = 0;
  readonly #encoding: Encoding;
  readonly #socket: WebSocket;
  #pings = 0;
  #blockedTicks = 0;
  #messages = 0;
  #awaitsSnapshot = false;

  constructor(socket: WebSocket, encoding: Encoding, onLeave: (viewer: Viewer) => void) {
    this.#socket = socket;
    this.#encoding = encoding;
    const leave = (): void => {
      onLeave(this);
    };
    socket.on("close", leave);
    socket.on("error", leave);
    socket.on("pong", () => {
      this.#pings = 0;
    });
    const heard = (): void => {
      if (++this.#messages > MESSAGES_PER_TICK_MAX)
        this.close(POLICY_VIOLATION, "too many messages");
    };
    socket.on("message", heard);
    socket.on("ping", heard);
  }

  /** Whether it can take a frame now; one that cannot for too long is let go. */
  isReady(): boolean {
    this.#messages = 0;
    if (this.#awaitsSnapshot) return false;
    if (this.#socket.bufferedAmount <= BUFFERED_BYTES_MAX) {
      this.#blockedTicks = 0;
      return true;
    }
    if (++this.#blockedTicks >= BLOCKED_TICKS_MAX) {
      this.close(TRY_AGAIN, "reads too slowly");
      // A peer that reads nothing never answers the close either.
      this.#socket.terminate();
    }
    return false;
  }

  send(frame: EncodedFrame): void {
    this.sequence = frame.sequence;
    this.#socket.send(frame.as(this.#encoding), { binary: this.#encoding !== "json" });
  }

  /** Sends it when it is ready; frames that come meanwhile are left out, and `then` is the time for them. */
  sendSnapshot(snapshot: EncodedSnapshot, then: () => void): void {
    this.#awaitsSnapshot = true;
    snapshot.as(this.#encoding).then(
      (bytes) => {
        this.#awaitsSnapshot = false;
        if (this.#socket.readyState !== this.#socket.OPEN) return;
        this.sequence = snapshot.sequence;
        this.#socket.send(bytes, { binary: this.#encoding !== "json" });
        then();
      },
      () => {
        this.close(INTERNAL_ERROR, "the snapshot could not be made");
      },
    );
  }

  /** Asks whether it is still there; one that left several unanswered is cut off. */
  ping(): void {
    if (this.#pings >= PINGS_UNANSWERED_MAX) {
      this.#socket.terminate();
      return;
    }
    this.#pings++;
    this.#socket.ping();
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  terminate(): void {
    this.#socket.terminate();
  }
}
