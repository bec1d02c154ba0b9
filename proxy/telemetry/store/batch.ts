/** A row whose content is bytes nobody but the reader of its kind looks into. */
export interface Row {
  readonly bytes: Uint8Array;
}

/** One closed slot of the ladder. */
export interface SlotRow extends Row {
  readonly level: number;
  readonly startMs: number;
}

/** One minute of one promise; written again while the minute lasts. */
export interface SloRow {
  readonly slo: string;
  readonly minuteMs: number;
  readonly good: number;
  readonly valid: number;
}

/** What one second adds to the database, written in one transaction. */
export interface StoreBatch {
  readonly nowMs: number;
  readonly slots: readonly SlotRow[];
  readonly slos: readonly SloRow[];
  readonly exchanges: readonly Row[];
  readonly events: readonly Row[];
  /** Requests ended since the data directory was new. */
  readonly endedTotal: number;
}

/** What a database held; rows whose checksum did not hold are left out and counted. */
export interface Kept {
  readonly slots: readonly SlotRow[];
  readonly slos: readonly SloRow[];
  /** Oldest first, like the events. */
  readonly exchanges: readonly Row[];
  readonly events: readonly Row[];
  readonly endedTotal: number;
  readonly damagedRows: number;
}

/** How much of each kind is kept. */
export interface StoreLimits {
  readonly bytesMax: number;
  readonly exchangesMax: number;
  readonly eventsMax: number;
  /** Age beyond which slots of a level go, by level. */
  readonly slotAgesMs: readonly number[];
  readonly sloAgeMs: number;
}

/** Told to the worker that owns the file. */
export type StoreOrder =
  | { readonly kind: "write"; readonly batch: StoreBatch }
  | { readonly kind: "close" };

/** What the worker tells. */
export type StoreReport =
  | { readonly kind: "opened"; readonly kept: Kept; readonly warning: string | null }
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "written" }
  /** The batch is lost; the next one may fare better. */
  | { readonly kind: "failed"; readonly message: string }
  /** The file was damaged and put aside; the new one knows nothing yet. */
  | { readonly kind: "renewed"; readonly warning: string }
  | { readonly kind: "closed" };
