import type { Socket } from "node:net";
import type { ServerResponse } from "node:http";
import type { Cancel, Clock } from "../clock.ts";

/**
 * The body of a streamed answer. Frames go to the socket in one write each, with the chunk borders written here:
 * Node's own path makes four writes and a cork of it, which at twenty thousand frames a second is most of the work.
 */
export class EventStream {
  readonly #response: ServerResponse;
  /** The socket when frames may go to it directly: headers are out and the body is chunked. */
  #socket: Socket | null = null;
  #spoke = false;
  #stopPings: Cancel = () => {};

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  get begun(): boolean {
    return this.#response.headersSent;
  }

  /** Nobody reads any more, or everything was said. */
  get over(): boolean {
    return this.#response.destroyed || this.#response.writableEnded;
  }

  /** The reader is behind: what is written now waits in memory. */
  get blocked(): boolean {
    return (this.#socket ?? this.#response).writableNeedDrain;
  }

  begin(headers: Readonly<Record<string, string>>): void {
    this.#response.writeHead(200, headers);
    this.#response.flushHeaders();
    // Without chunks (HTTP/1.0), or behind another answer on the same connection, Node's own way is the only one.
    if (this.#response.chunkedEncoding) this.#socket = this.#response.socket;
  }

  /** Calls back whenever the reader has caught up. */
  onDrain(task: () => void): void {
    (this.#socket ?? this.#response).on("drain", task);
    this.#response.once("close", () => {
      this.#socket?.off("drain", task);
    });
  }

  write(frames: string): void {
    if (frames === "") return;
    this.#spoke = true;
    if (this.#socket === null) this.#response.write(frames);
    else this.#socket.write(chunkOf(frames));
  }

  end(frames: string): void {
    if (this.#socket === null || frames === "") {
      this.#response.end(frames);
      return;
    }
    this.#socket.cork();
    this.#socket.write(chunkOf(frames));
    this.#response.end();
    this.#socket.uncork();
  }

  /** Sends a comment whenever nothing was said for so long. */
  pingAfter(silenceMs: number, clock: Clock): void {
    this.#spoke = false;
    this.#stopPings = clock.schedule(silenceMs, () => {
      if (this.over) return;
      if (!this.#spoke) this.write(":\n\n");
      this.pingAfter(silenceMs, clock);
    });
  }

  pingNoMore(): void {
    this.#stopPings();
  }

  /** Ends the connection in the middle: `fin` politely, `rst` at once. */
  cut(how: "fin" | "rst"): void {
    if (how === "rst") this.#response.socket?.resetAndDestroy();
    else this.#response.destroy();
  }
}

function chunkOf(frames: string): string {
  return `${Buffer.byteLength(frames).toString(16)}\r\n${frames}\r\n`;
}
