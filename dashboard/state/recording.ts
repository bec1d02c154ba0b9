import type { Frame, FRAME_VERSION } from "../../proxy/live/frames.ts";
import type { RECORDING_VERSION, RecordingHeader } from "../../proxy/live/recording.ts";
import { type LiveStore, store } from "./live-store.ts";

/** What this board reads; the types say when a new shape needs a new reader. */
const READS: {
  readonly frame: typeof FRAME_VERSION;
  readonly recording: typeof RECORDING_VERSION;
} = { frame: 2, recording: 1 };
/** A tab holds the frames as objects, about three times their text. */
const BYTES_MAX = 268_435_456;
/** Times faster than it happened. */
export const SPEEDS = [1, 2, 5, 20, 60] as const;
/** Shorter waits than a screen's frame show nothing more. */
const WAIT_MS_MIN = 16;
/** A gap in a recording, such as a suspended machine, is not waited for. */
const WAIT_MS_MAX = 5_000;

/** Why a recording cannot be shown, in a sentence for the reader. */
export class RecordingError extends Error {
  override readonly name = "RecordingError";
}

/** The frames of a recording. @throws {RecordingError} when it is none, or of another version. */
export function framesOf(text: string): readonly Frame[] {
  const lines = text.split("\n");
  const header = parsed(lines[0] ?? "") as Partial<RecordingHeader> | null;
  if (header?.format !== "pitot-recording")
    throw new RecordingError(
      "This is no recording of Pitot: its first line does not say so. `pitot demo --record FILE` makes one.",
    );
  if (header.version !== READS.recording || header.frameVersion !== READS.frame)
    throw new RecordingError(
      `This recording is of version ${header.version}/${header.frameVersion} and this board reads ${READS.recording}/${READS.frame}: open it with release ${header.release}.`,
    );
  // Whoever recorded may have been killed in the middle of a line.
  const frames = lines
    .slice(1)
    .map(parsed)
    .filter((frame) => frame !== null) as Frame[];
  if (frames[0]?.kind !== "snapshot")
    throw new RecordingError("This recording does not begin with a snapshot: it is not whole.");
  return frames;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

/** Plays a recording into the store, in time, faster, or to a moment the reader picks. Says `change`. */
export class Player extends EventTarget {
  /** Why the last recording could not be opened; empty when it could. */
  problem = "";
  name = "";
  frames: readonly Frame[] = [];
  /** The frame that is shown. */
  at = 0;
  speed: number = SPEEDS[0];
  isPlaying = false;
  readonly #store: LiveStore;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(store: LiveStore) {
    super();
    this.#store = store;
  }

  /** Opens a recording at an address of this origin: others would see who looks, and could show anything. */
  async fetch(address: string): Promise<void> {
    await this.#opening(async () => {
      const url = new URL(address, location.href);
      if (url.origin !== location.origin)
        throw new RecordingError(
          `recording ${url.origin} is another origin: put the file beside the board, or drop it on the page.`,
        );
      const answer = await fetch(url).catch(() => null);
      if (answer?.ok !== true)
        throw new RecordingError(
          `The recording ${url.pathname} cannot be had: ${answer === null ? "no answer" : `status ${answer.status}`}.`,
        );
      return new File([await answer.blob()], url.pathname.split("/").at(-1) ?? "");
    });
  }

  async open(file: File): Promise<void> {
    await this.#opening(async () => file);
  }

  async #opening(get: () => Promise<File>): Promise<void> {
    try {
      const file = await get();
      if (file.size > BYTES_MAX)
        throw new RecordingError(
          `${file.name} is larger than the ${BYTES_MAX / 1_048_576} MiB a board can hold: record for a shorter time.`,
        );
      this.#start(file.name, framesOf(await file.text()));
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
      this.dispatchEvent(new Event("change"));
    }
  }

  #start(name: string, frames: readonly Frame[]): void {
    this.problem = "";
    this.name = name;
    this.frames = frames;
    this.#store.showRecording(name);
    this.at = 0;
    this.#store.take(frames.slice(0, 1));
    this.play(true);
  }

  play(on: boolean): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (on && this.at === this.frames.length - 1) this.#show(0);
    this.isPlaying = on;
    if (on) this.#schedule();
    this.dispatchEvent(new Event("change"));
  }

  setSpeed(speed: number): void {
    this.speed = speed;
    this.play(this.isPlaying);
  }

  seek(at: number): void {
    this.#show(Math.max(0, Math.min(this.frames.length - 1, Math.round(at))));
    this.play(this.isPlaying && this.at < this.frames.length - 1);
  }

  /** Takes in what lies between, or begins anew where the reader went back. */
  #show(at: number): void {
    this.#store.take(this.frames.slice(at >= this.at ? this.at + 1 : 0, at + 1));
    this.at = at;
  }

  #schedule(): void {
    const nowMs = this.frames[this.at]?.nowMs ?? 0;
    const dueMs = (at: number): number => ((this.frames[at]?.nowMs ?? nowMs) - nowMs) / this.speed;
    const waitMs = Math.min(WAIT_MS_MAX, Math.max(WAIT_MS_MIN, dueMs(this.at + 1)));
    this.#timer = setTimeout(() => {
      let at = this.at + 1;
      while (at + 1 < this.frames.length && dueMs(at + 1) <= waitMs) at++;
      this.#show(Math.min(at, this.frames.length - 1));
      if (this.at === this.frames.length - 1) this.play(false);
      else this.#schedule();
      this.dispatchEvent(new Event("change"));
    }, waitMs);
  }
}

/** The one player of the page. */
export const player = new Player(store);
