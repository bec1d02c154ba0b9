import { type Cancel, type Clock, every } from "../../../engines/clock.ts";
import { withoutLoad } from "../../../engines/engine-stats.ts";
import type { Engine, EngineStats, ProbeAnswer } from "../../../engines/engine.ts";
import { identify } from "../../../engines/identify.ts";
import { integer, type Random } from "../../../engines/random.ts";
import { StatsReader } from "../../../engines/stats-reader.ts";
import type { FleetEventKind } from "../fleet.ts";
import { probeGet, probeHealth } from "../probe.ts";
import type { Replica } from "../replica.ts";
import { ZombieWatch } from "./zombie-watch.ts";

/** Between probes of one replica; a random part keeps several proxies from probing in step. */
const PROBE_PERIOD_MS = 2_000;
const PROBE_JITTER_MS = 200;
/** A replica that is down is asked more often: it should be back in seconds. */
const DOWN_PROBE_PERIOD_MS = 1_000;
/** Bytes seen this recently prove a replica alive better than any probe: a full engine answers its health route late. */
const ALIVE_FOR_MS = 5_000;
/** Engine statistics are read this often: near real time, and a page of a few hundred lines. */
const STATS_PERIOD_MS = 1_000;
/** A restart between two probes may bring another model: what is served is asked again this often. */
const RECOGNISE_PERIOD_MS = 10_000;

export interface ContactParts {
  readonly replica: Replica;
  readonly clock: Clock;
  readonly random: Random;
  readonly tell: (kind: FleetEventKind, message: string, tokens?: number) => void;
  /** Whether no other replica can serve, so that this one is taken back however often it has fallen. */
  readonly isNeeded: () => boolean;
}

/** Keeps in touch with one replica: probes it, recognises what it is, reads its statistics. */
export class Contact {
  readonly #parts: ContactParts;
  readonly #zombies = new ZombieWatch();
  readonly #beats: readonly Cancel[];
  readonly #stop = new AbortController();
  #isProbing = false;
  #isReading = false;
  #probedMs = 0;
  #recognisedMs = 0;
  #reader: { readonly engine: Engine; readonly reads: StatsReader } | null = null;

  constructor(parts: ContactParts) {
    this.#parts = parts;
    const { clock } = parts;
    this.#beats = [
      every(clock, DOWN_PROBE_PERIOD_MS / 4, () => {
        this.#beat();
      }),
      every(clock, STATS_PERIOD_MS, () => {
        this.#read();
      }),
    ];
  }

  /** Lets go of timers and of what is being asked. */
  stop(): void {
    for (const cancel of this.#beats) cancel();
    this.#stop.abort();
  }

  /** Asks how it is, now, and what it is where that is not known or may have changed. */
  async probe(): Promise<void> {
    const { replica, clock, tell, isNeeded } = this.#parts;
    const { signal } = this.#stop;
    const result = await probeHealth(replica, clock);
    const isStreaming = clock.nowMs() - replica.lastByteMs < ALIVE_FOR_MS;
    const isRefused = result.message.includes("refused");
    if (signal.aborted || (!result.ok && result.status === null && isStreaming && !isRefused))
      return;
    if (result.ok && this.#shouldRecognise()) {
      this.#recognisedMs = clock.nowMs();
      const get = (path: string, within: AbortSignal): ReturnType<typeof probeGet> =>
        probeGet(replica, path, within);
      const recognition = await identify(get, signal);
      if (this.#stop.signal.aborted) return;
      replica.recognise(recognition);
    }
    if (result.ok && replica.heldDown && !isNeeded()) return;
    if (!replica.probed(result)) return;
    if (replica.state === "up") tell("replica-up", `${replica.engine.name} answers`);
    else tell("replica-down", result.message);
  }

  #shouldRecognise(): boolean {
    const { replica, clock } = this.#parts;
    const isOld = clock.nowMs() - this.#recognisedMs > RECOGNISE_PERIOD_MS;
    return !replica.recognised || replica.state !== "up" || isOld;
  }

  #beat(): void {
    const { replica, clock, random } = this.#parts;
    const periodMs = replica.state === "up" ? PROBE_PERIOD_MS : DOWN_PROBE_PERIOD_MS;
    if (this.#isProbing || clock.nowMs() - this.#probedMs < periodMs) return;
    this.#isProbing = true;
    this.#probedMs = clock.nowMs() + integer(random, PROBE_JITTER_MS);
    void this.probe().finally(() => {
      this.#isProbing = false;
    });
  }

  #read(): void {
    if (this.#isReading || this.#parts.replica.state !== "up") return;
    this.#isReading = true;
    void this.#readStats().finally(() => {
      this.#isReading = false;
    });
  }

  async #readStats(): Promise<void> {
    const { replica, clock } = this.#parts;
    const reader = this.#readerOf(replica.engine);
    const nowMs = clock.nowMs();
    const reading = await reader.read(nowMs, replica.inFlight, this.#stop.signal);
    if (reading === null || this.#stop.signal.aborted) return;
    const { stats, frozen, restarted } = reading;
    replica.stats = frozen ? withoutLoad(stats) : stats;
    replica.statsAtMs = nowMs;
    // Another process answers under this address: it may be another version, or serve another model.
    if (restarted) this.#recognisedMs = 0;
    this.#watchForZombies(stats);
  }

  /** One reader for as long as the dialect stays the same: it remembers what it read last. */
  #readerOf(engine: Engine): StatsReader {
    if (this.#reader?.engine !== engine) {
      const { replica } = this.#parts;
      const get = (path: string, within: AbortSignal): Promise<ProbeAnswer> =>
        probeGet(replica, path, within);
      this.#reader = { engine, reads: new StatsReader(engine.stats, get) };
    }
    return this.#reader.reads;
  }

  #watchForZombies(stats: EngineStats): void {
    const { replica, clock, tell } = this.#parts;
    const report = this.#zombies.read(stats, replica.idleSinceMs, clock.nowMs());
    if (report === null) return;
    const { running, forMs, tokens } = report;
    const seconds = (forMs / 1000).toFixed(0);
    const what =
      running === 1 ? "1 request runs in the engine" : `${running} requests run in the engine`;
    if (report.state === "began")
      tell(
        "zombie",
        `${what} although none of ours has for ${seconds} s: it goes on after a client left, or somebody bypasses the proxy`,
      );
    else if (tokens !== null)
      tell("zombie", `over after ${seconds} s: ${tokens} tokens for nobody here`, tokens);
  }
}
