import { connect, type Socket } from "node:net";
import { until } from "./fleet.ts";
import { type Answer, readAnswers } from "./http-answer.ts";

export interface RawClientOptions {
  readonly isHead?: boolean;
  readonly isDeaf?: boolean;
}

/** A client that says exactly what it is told, byte for byte, and keeps what it hears. */
export class RawClient {
  readonly socket: Socket;
  readonly #heard: Buffer[] = [];
  readonly #isHead: boolean;
  isClosed = false;

  private constructor(socket: Socket, isHead: boolean) {
    this.socket = socket;
    this.#isHead = isHead;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => {
      this.#heard.push(chunk);
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.isClosed = true;
    });
    // Without reading, an end is never seen.
    socket.on("end", () => {
      socket.end();
    });
  }

  /** `isDeaf`: takes nothing from the network until its socket is resumed. */
  static async connect(
    url: string,
    { isHead = false, isDeaf = false }: RawClientOptions = {},
  ): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    if (isDeaf) socket.pause();
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new RawClient(socket, isHead);
  }

  write(bytes: string | Buffer): void {
    if (!this.isClosed)
      this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#heard);
  }

  /** Starts a new page: what was heard so far is no longer kept. */
  forget(): void {
    this.#heard.length = 0;
  }

  /** Everything heard so far, taken apart. */
  heard(): Answer[] {
    return readAnswers({ bytes: this.bytes, isClosed: this.isClosed, isHead: this.#isHead });
  }

  /** Final answers, as soon as there are `count` whole ones or the connection is closed. */
  async answers(count = 1): Promise<Answer[]> {
    const finals = (): Answer[] => this.heard().filter(({ status }) => status >= 200);
    await until(
      () => this.isClosed || finals().filter(({ isComplete }) => isComplete).length >= count,
      `${count} answers`,
    );
    return finals();
  }

  async closed(limitMs = 5_000): Promise<void> {
    await until(() => this.isClosed, "the connection is closed", limitMs);
  }

  destroy(): void {
    this.socket.destroy();
  }
}
