import { writeFileSync } from "node:fs";
import { LogFile } from "../telemetry/log/log-file.ts";
import { FRAME_VERSION, type Frame } from "./frames.ts";
import { type LiveSource, LiveState } from "./live-state.ts";

/**
 * A recording is a text file of JSON lines: first {@link RecordingHeader}, then the frames a viewer would have got, one a
 * line: one snapshot, then a tick a second. A board plays it without a server by taking the frames in order, each at its
 * `nowMs` since the first or as fast as it likes; a last line that was cut off is left out.
 */
export interface RecordingHeader {
  readonly format: "pitot-recording";
  readonly version: typeof RECORDING_VERSION;
  /** Frames of another version are not readable by this board. */
  readonly frameVersion: number;
  readonly release: string;
  readonly startedMs: number;
}

export const RECORDING_VERSION = 1;
/** A day of a small fleet, some hours of a large one; then the recording ends. */
const RECORDING_BYTES_MAX = 1_073_741_824;

/** A recording that cannot be read; the message says why. */
export class RecordingError extends Error {
  override readonly name = "RecordingError";
}

/** Writes down what viewers see, to be shown again without engines, proxy or network. */
export class Recorder {
  readonly #file: LogFile;
  readonly #stopTicks: () => void;
  #bytes = 0;

  /** @throws the system's error when the file cannot be written. */
  constructor(source: LiveSource, path: string) {
    const header: RecordingHeader = {
      format: "pitot-recording",
      version: RECORDING_VERSION,
      frameVersion: FRAME_VERSION,
      release: source.release,
      startedMs: source.clock.nowMs(),
    };
    writeFileSync(path, `${JSON.stringify(header)}\n`);
    this.#file = new LogFile({ path, fileBytesMax: Infinity, filesMax: 1 });
    const state = new LiveState(source);
    source.telemetry.listen(state);
    state.wake();
    this.#write(state.snapshot());
    this.#stopTicks = source.telemetry.onTick((tick, judged) => {
      this.#write(state.tick(tick, judged));
    });
  }

  stop(): Promise<void> {
    this.#stopTicks();
    return this.#file.close();
  }

  #write(frame: Frame): void {
    const line = `${JSON.stringify(frame)}\n`;
    this.#bytes += line.length;
    if (this.#bytes > RECORDING_BYTES_MAX) return;
    this.#file.append(line, 1);
    void this.#file.flush();
  }
}

/**
 * The frames of a recording.
 * @throws {RecordingError} when it is none, or of another version.
 */
export function readRecording(text: string): readonly Frame[] {
  const lines = text.split("\n");
  const header = parse(lines.shift() ?? "") as Partial<RecordingHeader> | null;
  if (header?.format !== "pitot-recording")
    throw new RecordingError("this is no recording of Pitot: its first line does not say so.");
  if (header.version !== RECORDING_VERSION || header.frameVersion !== FRAME_VERSION)
    throw new RecordingError(
      `this recording is of version ${header.version}/${header.frameVersion}, and this Pitot reads ${RECORDING_VERSION}/${FRAME_VERSION}: open it with release ${header.release}.`,
    );
  // The proxy may have been killed in the middle of its last line.
  const frames = lines.map(parse).filter((frame) => frame !== null) as Frame[];
  if (frames[0]?.kind !== "snapshot")
    throw new RecordingError("this recording does not begin with a snapshot.");
  return frames;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
