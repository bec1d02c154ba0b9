import assert from "node:assert/strict";
import { systemClock } from "../../engines/clock.ts";
import { type SimulatedEngineOptions, startSimulatedEngine } from "../../engines/sim/server.ts";
import { examine, type ExamineOptions } from "../../proxy/doctor/examine.ts";
import type { Examination } from "../../proxy/doctor/examination.ts";
import { report } from "../../proxy/doctor/report.ts";
import { MODEL } from "./fleet.ts";
import { type FrontOptions, startFront } from "./front.ts";

/** Never to be seen in anything the doctor says. */
export const KEY = "sk-for-the-doctor-only";

/** A doctor with the servers it is shown; {@link close} ends them all. */
export class Practice {
  readonly #open: (() => Promise<unknown>)[] = [];

  /** Examines, and holds what every examination must keep to. */
  async look(url: string, options: Partial<ExamineOptions> = {}): Promise<Examination> {
    const found = await examine(url, { clock: systemClock, idleWatchMs: 20, ...options });
    const text = report(found);
    assert.doesNotMatch(text, /undefined|NaN|null|\[object/);
    assert.ok(!(text + JSON.stringify(found)).includes(KEY), "the key is among what was said");
    assert.equal(text.split("\n")[0], url);
    return found;
  }

  async engine(options: Partial<SimulatedEngineOptions> = {}): Promise<string> {
    const setup = { persona: "vllm", model: MODEL, speed: 4, ...options } as const;
    const started = await startSimulatedEngine(setup);
    this.later(() => started.close());
    return started.url;
  }

  async front(engineUrl: string | null, options: FrontOptions): Promise<string> {
    const started = await startFront(engineUrl, options);
    this.later(() => started.close());
    return started.url;
  }

  /** A server that answers one path with one thing, and 404 to everything else. */
  serving(path: string, status: number, body: string): Promise<string> {
    return this.front(null, {
      answer: (request, response) => {
        if (request.url !== path) return false;
        response.writeHead(status).end(body);
        return true;
      },
    });
  }

  later(end: () => Promise<unknown>): void {
    this.#open.push(end);
  }

  async close(): Promise<void> {
    while (this.#open.length > 0) await this.#open.pop()?.();
  }
}
