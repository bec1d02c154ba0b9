import type { Fact } from "../fact.ts";
import type { RequestLogOptions } from "../options.ts";
import type { Sink } from "../sink.ts";
import { FILE_BYTES_MAX, FILES_MAX, LogFile } from "./log-file.ts";
import { accessLine, jsonLine } from "./log-line.ts";

/** One line per ended request, in a rotated file or on standard output. Never a prompt, never a key. */
export class RequestLog implements Sink {
  readonly name = "log";
  readonly #file: LogFile;
  readonly #lineOf: (fact: Fact) => string;
  #lines: string[] = [];

  constructor({ path, format = "json", fileBytesMax, filesMax }: RequestLogOptions) {
    this.#file = new LogFile({
      path,
      fileBytesMax: fileBytesMax ?? FILE_BYTES_MAX,
      filesMax: filesMax ?? FILES_MAX,
    });
    this.#lineOf = format === "json" ? jsonLine : accessLine;
  }

  get dropped(): number {
    return this.#file.dropped;
  }

  take(fact: Fact): void {
    if (fact.exchange.origin !== "probe") this.#lines.push(this.#lineOf(fact));
  }

  flush(): void {
    if (this.#lines.length > 0)
      this.#file.append(this.#lines.join("\n") + "\n", this.#lines.length);
    this.#lines = [];
    void this.#file.flush();
  }

  stop(): Promise<void> {
    this.flush();
    return this.#file.close();
  }
}
