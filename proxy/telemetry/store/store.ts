import { once } from "node:events";
import { extname } from "node:path";
import { deserialize, serialize } from "node:v8";
import { Worker } from "node:worker_threads";
import type { Exchange } from "../../../engines/exchange.ts";
import type { FleetEvent } from "../../upstream/fleet.ts";
import type { FrozenCell } from "../cell.ts";
import { levels, type Slot } from "../ladder.ts";
import type { RetentionOptions } from "../options.ts";
import type { MinuteTally } from "../slo/good-valid.ts";
import { SLO_WINDOW_MAX_MS } from "../slo/slo-desk.ts";
import type {
  Kept,
  Row,
  SlotRow,
  SloRow,
  StoreBatch,
  StoreLimits,
  StoreOrder,
  StoreReport,
} from "./batch.ts";

/** The file at most; its log comes on top, a few MiB. */
export const DATABASE_BYTES_MAX = 512 * 1_048_576;
const EXCHANGES_MAX = 2_000;
const EVENTS_MAX = 500;
/** Ended requests of one batch that are kept whole; a busier second keeps its newest. */
const EXCHANGES_A_BATCH_MAX = 500;
/** Batches on their way to a disk that does not keep up; what comes meanwhile is gathered into a larger one. */
const BATCHES_UNDER_WAY_MAX = 2;
/** Slots gathered meanwhile; beyond it they are dropped, and written anew from memory when the disk works again. */
const GATHERED_BYTES_MAX = 8 * 1_048_576;
/** Batches written in a row before a failing disk counts as working again. */
const RECOVERED_AFTER = 10;
/** How long a last batch may take when the proxy stops. */
const CLOSE_MS = 5_000;

/** What an earlier run left, read. */
export interface Restored {
  /** By level, oldest first. */
  readonly slots: readonly (readonly Slot[])[];
  readonly minutes: ReadonlyMap<string, readonly MinuteTally[]>;
  readonly exchanges: readonly Exchange[];
  readonly events: readonly FleetEvent[];
  readonly endedTotal: number;
}

/** The data directory cannot be used; the message says why. */
export class StoreError extends Error {
  override readonly name = "StoreError";
}

export interface StoreOptions {
  readonly directory: string;
  readonly nowMs: number;
  readonly retention?: RetentionOptions;
  /** Told in words when something is damaged, fails, or works again. */
  readonly onTrouble: (message: string) => void;
}

/**
 * Keeps history across restarts. Rows gather during a second and go to a worker that owns the file in one message; a disk
 * that is slow, full or gone costs history, never a request.
 */
export class Store {
  readonly restored: Restored;
  /** Batches that could not be written. */
  droppedBatches = 0;
  /** Everything in memory, asked for when the file had to be begun anew. */
  onRenewed: () => void = () => {};
  readonly #worker: Worker;
  readonly #onTrouble: (message: string) => void;
  #slots: SlotRow[] = [];
  #slos: SloRow[] = [];
  #exchanges: Exchange[] = [];
  #events: Row[] = [];
  #gatheredBytes = 0;
  #underWay = 0;
  #failing = false;
  #writtenInARow = 0;

  private constructor(worker: Worker, restored: Restored, onTrouble: (message: string) => void) {
    this.#worker = worker;
    this.restored = restored;
    this.#onTrouble = onTrouble;
    worker.on("message", (report: StoreReport) => {
      this.#hear(report);
    });
    worker.on("error", (error) => {
      this.#fail(`the worker that writes history ended: ${String(error)}`);
    });
  }

  /** @throws {StoreError} when the directory cannot be used. */
  static async open({ directory, nowMs, retention = {}, onTrouble }: StoreOptions): Promise<Store> {
    const limits: StoreLimits = {
      bytesMax: retention.databaseBytesMax ?? DATABASE_BYTES_MAX,
      exchangesMax: retention.requests ?? EXCHANGES_MAX,
      eventsMax: EVENTS_MAX,
      slotAgesMs: levels.map(({ lengthMs, slotsMax }) => lengthMs * slotsMax),
      sloAgeMs: SLO_WINDOW_MAX_MS,
    };
    // The same file with another ending once it is compiled.
    const script = new URL(`./store-worker${extname(import.meta.filename)}`, import.meta.url);
    const worker = new Worker(script, { workerData: { directory, limits, nowMs } });
    const [report] = (await once(worker, "message")) as [StoreReport];
    if (report.kind !== "opened") {
      await worker.terminate();
      throw new StoreError(report.kind === "refused" ? report.message : "did not open");
    }
    if (report.warning !== null) onTrouble(report.warning);
    const { kept, damaged } = restore(report.kept);
    if (damaged > 0)
      onTrouble(`${damaged} rows of history in ${directory} were damaged and are left out`);
    return new Store(worker, kept, onTrouble);
  }

  slot(level: number, { startMs, cells }: Slot): void {
    if (cells.size === 0) return;
    const bytes = serialize([...cells]);
    this.#slots.push({ level, startMs, bytes });
    this.#gatheredBytes += bytes.length;
  }

  minute(slo: string, minute: MinuteTally): void {
    if (minute.valid > 0) this.#slos.push({ slo, ...minute });
  }

  ended(exchange: Exchange): void {
    this.#exchanges.push(exchange);
    if (this.#exchanges.length > EXCHANGES_A_BATCH_MAX) this.#exchanges.shift();
  }

  happened(event: FleetEvent): void {
    this.#events.push({ bytes: serialize(event) });
    if (this.#events.length > EVENTS_MAX) this.#events.shift();
  }

  /** Hands over what gathered since last time, when the disk keeps up; called once a second. */
  flush(nowMs: number, endedTotal: number): void {
    if (this.#underWay < BATCHES_UNDER_WAY_MAX) this.#send(nowMs, endedTotal);
    else if (this.#gatheredBytes > GATHERED_BYTES_MAX) {
      this.#slots = [];
      this.#gatheredBytes = 0;
      this.#fail("the disk does not keep up");
    }
  }

  /** Writes what is left and lets the file go. */
  async close(nowMs: number, endedTotal: number): Promise<void> {
    this.#send(nowMs, endedTotal);
    const closed = new Promise<void>((resolve) => {
      this.#worker.on("message", (report: StoreReport) => {
        if (report.kind === "closed") resolve();
      });
      this.#worker.on("exit", () => {
        resolve();
      });
    });
    this.#tell({ kind: "close" });
    const limit = AbortSignal.timeout(CLOSE_MS);
    await Promise.race([closed, once(limit, "abort")]);
    await this.#worker.terminate();
  }

  #hear(report: StoreReport): void {
    if (report.kind === "closed" || report.kind === "opened") return;
    this.#underWay = Math.max(0, this.#underWay - 1);
    if (report.kind === "failed") this.#fail(report.message);
    else if (report.kind === "renewed") {
      this.#onTrouble(report.warning);
      this.onRenewed();
    } else if (this.#failing && ++this.#writtenInARow >= RECOVERED_AFTER) {
      this.#failing = false;
      this.#onTrouble("history is kept again");
      this.onRenewed();
    }
  }

  #send(nowMs: number, endedTotal: number): void {
    const batch: StoreBatch = {
      nowMs,
      slots: this.#slots,
      slos: this.#slos,
      exchanges: this.#exchanges.map((exchange) => ({ bytes: serialize(exchange) })),
      events: this.#events,
      endedTotal,
    };
    this.#slots = [];
    this.#slos = [];
    this.#exchanges = [];
    this.#events = [];
    this.#gatheredBytes = 0;
    this.#underWay++;
    this.#tell({ kind: "write", batch });
  }

  /** Said once, not every second. */
  #fail(message: string): void {
    this.droppedBatches++;
    this.#writtenInARow = 0;
    if (this.#failing) return;
    this.#failing = true;
    this.#onTrouble(`history is not being kept: ${message}. Requests are served as before`);
  }

  #tell(order: StoreOrder): void {
    this.#worker.postMessage(order);
  }
}

/** Rows as what they were; one that cannot be read is left out and counted. */
function restore({ slots, slos, exchanges, events, endedTotal, damagedRows }: Kept): {
  readonly kept: Restored;
  readonly damaged: number;
} {
  let damaged = damagedRows;
  const read = (row: Row): unknown => {
    try {
      return deserialize(row.bytes);
    } catch {
      damaged++;
      return null;
    }
  };
  const all = (rows: readonly Row[]): unknown[] => rows.map(read).filter((value) => value !== null);
  const byLevel: Slot[][] = levels.map(() => []);
  for (const row of slots) {
    const cells = read(row) as [string, FrozenCell][] | null;
    if (cells !== null) byLevel[row.level]?.push({ startMs: row.startMs, cells: new Map(cells) });
  }
  const minutes = new Map<string, MinuteTally[]>();
  for (const { slo, ...tally } of slos) {
    const held = minutes.get(slo);
    if (held === undefined) minutes.set(slo, [tally]);
    else held.push(tally);
  }
  const kept = {
    slots: byLevel,
    minutes,
    exchanges: all(exchanges) as Exchange[],
    events: all(events) as FleetEvent[],
    endedTotal,
  };
  return { kept, damaged };
}
