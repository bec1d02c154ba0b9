import { parentPort, workerData } from "node:worker_threads";
import type { StoreLimits, StoreOrder, StoreReport } from "./batch.ts";
import { Database, DatabaseInUse, isDamage, messageOf } from "./database.ts";

/** What the worker is started with. */
export interface StoreWorkerData {
  readonly directory: string;
  readonly limits: StoreLimits;
  readonly nowMs: number;
}

const port = parentPort;
if (port === null) throw new Error("store-worker.ts runs as a worker of the store");
const { directory, limits, nowMs } = workerData as StoreWorkerData;

let database: Database | null = null;
try {
  const opened = Database.open(directory, limits, nowMs);
  database = opened.database;
  tell({ kind: "opened", kept: opened.kept, warning: opened.warning });
} catch (error) {
  const inUse = error instanceof DatabaseInUse;
  tell({
    kind: "refused",
    message: inUse ? error.message : `${directory}: ${messageOf(error)}`,
  });
  port.close();
}

port.on("message", (order: StoreOrder) => {
  if (order.kind === "close") {
    database?.close();
    tell({ kind: "closed" });
    port.close();
    return;
  }
  write(order.batch);
});

function write(batch: Extract<StoreOrder, { kind: "write" }>["batch"]): void {
  try {
    database ??= Database.open(directory, limits, batch.nowMs).database;
    database.write(batch);
    tell({ kind: "written" });
  } catch (error) {
    if (isDamage(error)) renew(batch.nowMs, messageOf(error));
    else tell({ kind: "failed", message: messageOf(error) });
  }
}

/** The file broke while in use: begin a new one, and ask for everything again. */
function renew(atMs: number, why: string): void {
  try {
    database?.close();
    database = null;
    const warning = Database.putAside(directory, atMs, why);
    database = Database.open(directory, limits, atMs).database;
    tell({ kind: "renewed", warning });
  } catch (error) {
    tell({ kind: "failed", message: messageOf(error) });
  }
}

function tell(report: StoreReport): void {
  port?.postMessage(report);
}
