import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { Kept, Row, SlotRow, SloRow, StoreBatch, StoreLimits } from "./batch.ts";

export const DATABASE_FILE = "pitot.sqlite";
/** Raised when older rows would be misread. */
const SCHEMA_VERSION = 1;
const PAGE_BYTES = 4_096;
/** The log is cut back to this after a checkpoint. */
const WAL_BYTES_MAX = 8 * 1_048_576;

/** Result codes of SQLite (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS slots (level INTEGER, start_ms INTEGER, crc INTEGER, bytes BLOB, PRIMARY KEY (level, start_ms));
  CREATE TABLE IF NOT EXISTS slo_minutes (slo TEXT, minute_ms INTEGER, good INTEGER, valid INTEGER, PRIMARY KEY (slo, minute_ms)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS exchanges (number INTEGER PRIMARY KEY AUTOINCREMENT, crc INTEGER, bytes BLOB);
  CREATE TABLE IF NOT EXISTS events (number INTEGER PRIMARY KEY AUTOINCREMENT, crc INTEGER, bytes BLOB);
  CREATE TABLE IF NOT EXISTS totals (name TEXT PRIMARY KEY, value INTEGER);
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** Another process has the file; its message is for people. */
export class DatabaseInUse extends Error {
  override readonly name = "DatabaseInUse";
}

/** What opening a data directory found. */
export interface Opened {
  readonly database: Database;
  readonly kept: Kept;
  /** What was put aside, and why; `null` when the file was sound or new. */
  readonly warning: string | null;
}

/**
 * The one file of what survives a restart. Write-ahead log, one transaction a second: a killed process loses no committed
 * second (sqlite.org/wal.html; `synchronous = NORMAL` may lose the last ones only when the machine itself loses power).
 * Synchronous on purpose: it lives in a worker, where a slow disk keeps nobody waiting.
 */
export class Database {
  readonly #db: DatabaseSync;
  readonly #limits: StoreLimits;

  private constructor(db: DatabaseSync, limits: StoreLimits) {
    this.#db = db;
    this.#limits = limits;
  }

  /**
   * Opens or creates the file in `directory`. One that is damaged is put aside and a new one begun.
   * @throws {DatabaseInUse} when another process has it, and the system's error when the directory cannot be used.
   */
  static open(directory: string, limits: StoreLimits, nowMs: number): Opened {
    mkdirSync(directory, { recursive: true });
    const path = join(directory, DATABASE_FILE);
    try {
      return { ...Database.#openSound(path, limits), warning: null };
    } catch (error) {
      if (codeOf(error) === SQLITE_BUSY)
        throw new DatabaseInUse(`${path} is in use by another Pitot`);
      if (!isDamage(error)) throw error;
      const warning = Database.putAside(directory, nowMs, messageOf(error));
      return { ...Database.#openSound(path, limits), warning };
    }
  }

  /** Moves a damaged file and its log out of the way; returns the sentence that says so. */
  static putAside(directory: string, nowMs: number, why: string): string {
    const path = join(directory, DATABASE_FILE);
    const aside = `${path}.damaged-${new Date(nowMs).toISOString().replaceAll(/[:.]/g, "-")}`;
    for (const suffix of ["", "-wal", "-shm"])
      if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
    return `${path} was damaged (${why}): it was moved to ${aside}, and history begins anew`;
  }

  static #openSound(path: string, limits: StoreLimits): Omit<Opened, "warning"> {
    const db = new DatabaseSync(path);
    try {
      // One process owns the file as long as it lives; the lock goes with it, even when it is killed.
      db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL");
      db.exec(`PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = ${WAL_BYTES_MAX}`);
      db.exec(`PRAGMA max_page_count = ${Math.floor(limits.bytesMax / PAGE_BYTES)}`);
      const version = Number(db.prepare("PRAGMA user_version").get()?.["user_version"]);
      if (version > SCHEMA_VERSION) throw new Damage(`written by a newer Pitot, form ${version}`);
      const check = db.prepare("PRAGMA quick_check(1)").get();
      const found = String(Object.values(check ?? {})[0]);
      if (found !== "ok") throw new Damage(found);
      db.exec(SCHEMA);
      const database = new Database(db, limits);
      return { database, kept: database.#load() };
    } catch (error) {
      db.close();
      throw error;
    }
  }

  /** One transaction. A full file gives up its oldest rows and the batch is tried once more. */
  write(batch: StoreBatch): void {
    try {
      this.#transaction(() => this.#insert(batch));
    } catch (error) {
      if (codeOf(error) !== SQLITE_FULL) throw error;
      this.#transaction(() => this.#halve());
      this.#transaction(() => this.#insert(batch));
    }
  }

  close(): void {
    this.#db.close();
  }

  #insert(batch: StoreBatch): void {
    const { slots, slos, exchanges, events, endedTotal } = batch;
    const slot = this.#db.prepare("INSERT OR REPLACE INTO slots VALUES (?, ?, ?, ?)");
    for (const { level, startMs, bytes } of slots) slot.run(level, startMs, crc32(bytes), bytes);
    const slo = this.#db.prepare("INSERT OR REPLACE INTO slo_minutes VALUES (?, ?, ?, ?)");
    for (const row of slos) slo.run(row.slo, row.minuteMs, row.good, row.valid);
    for (const [table, rows] of [
      ["exchanges", exchanges],
      ["events", events],
    ] as const) {
      const insert = this.#db.prepare(`INSERT INTO ${table} (crc, bytes) VALUES (?, ?)`);
      for (const { bytes } of rows) insert.run(crc32(bytes), bytes);
    }
    this.#db.prepare("INSERT OR REPLACE INTO totals VALUES ('ended', ?)").run(endedTotal);
    this.#forget(batch.nowMs);
  }

  /** Rows beyond their age or number. */
  #forget(nowMs: number): void {
    const { slotAgesMs, sloAgeMs, exchangesMax, eventsMax } = this.#limits;
    const slots = this.#db.prepare("DELETE FROM slots WHERE level = ? AND start_ms < ?");
    for (const [level, ageMs] of slotAgesMs.entries()) slots.run(level, Math.floor(nowMs - ageMs));
    this.#db
      .prepare("DELETE FROM slo_minutes WHERE minute_ms < ?")
      .run(Math.floor(nowMs - sloAgeMs));
    for (const [table, max] of [
      ["exchanges", exchangesMax],
      ["events", eventsMax],
    ] as const)
      this.#db
        .prepare(`DELETE FROM ${table} WHERE number <= (SELECT max(number) FROM ${table}) - ?`)
        .run(max);
  }

  /** The older half of what is bulky and short-lived; promises and the long levels stay. */
  #halve(): void {
    this.#db.exec(`
      DELETE FROM exchanges WHERE number <= (SELECT (min(number) + max(number)) / 2 FROM exchanges);
      DELETE FROM slots WHERE level < 2 AND start_ms <= (SELECT (min(start_ms) + max(start_ms)) / 2 FROM slots AS s WHERE s.level = slots.level);
    `);
  }

  #transaction(work: () => void): void {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      work();
      this.#db.exec("COMMIT");
    } catch (error) {
      // A full or broken disk may have rolled back already.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  #load(): Kept {
    let damagedRows = 0;
    const sound = <T extends Row>(rows: Iterable<unknown>, read: (row: RawRow) => T): T[] => {
      const kept: T[] = [];
      for (const row of rows as Iterable<RawRow>) {
        if (row.bytes instanceof Uint8Array && crc32(row.bytes) === row.crc) kept.push(read(row));
        else damagedRows++;
      }
      return kept;
    };
    const all = (sql: string): Iterable<unknown> => this.#db.prepare(sql).iterate();
    const slots = sound(
      all("SELECT level, start_ms, crc, bytes FROM slots ORDER BY level, start_ms"),
      (row): SlotRow => ({ level: row.level, startMs: row.start_ms, bytes: row.bytes }),
    );
    const slos = [
      ...all("SELECT slo, minute_ms AS minuteMs, good, valid FROM slo_minutes ORDER BY minute_ms"),
    ] as SloRow[];
    const exchanges = sound(
      all("SELECT crc, bytes FROM exchanges ORDER BY number"),
      ({ bytes }) => ({ bytes }),
    );
    const events = sound(all("SELECT crc, bytes FROM events ORDER BY number"), ({ bytes }) => ({
      bytes,
    }));
    const total = this.#db.prepare("SELECT value FROM totals WHERE name = 'ended'").get();
    const endedTotal = Number(total?.["value"] ?? 0);
    return { slots, slos, exchanges, events, endedTotal, damagedRows };
  }
}

interface RawRow {
  readonly level: number;
  readonly start_ms: number;
  readonly crc: number;
  readonly bytes: Uint8Array;
}

/** A file that SQLite reads and we cannot trust. */
class Damage extends Error {
  override readonly name = "Damage";
}

/** Whether the file itself is bad, and not the disk or the directory. */
export function isDamage(error: unknown): boolean {
  const code = codeOf(error);
  return error instanceof Damage || code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Primary result code: extended ones carry more in their upper bytes. */
function codeOf(error: unknown): number | null {
  if (!(error instanceof Error) || !("errcode" in error)) return null;
  return Number(error.errcode) & 0xff;
}
