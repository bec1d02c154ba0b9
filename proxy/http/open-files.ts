/** Kept free of clients and engines: Node's own, listeners, the history, logs, runs. */
const OPEN_FILES_RESERVED = 32;
/** What a connection may need in the end: itself, one to an engine, and a share of those taken only to be refused. */
const OPEN_FILES_PER_CONNECTION = 2.2;

/** Files this process may hold open at one time; `Infinity` where the system does not say. */
export function openFilesMax(): number {
  // Without it the report looks up the names of all peers (Node, doc/api/report.md; not yet in its types).
  Object.assign(process.report, { excludeNetwork: true });
  const { userLimits } = process.report.getReport() as {
    readonly userLimits?: { readonly open_files?: { readonly soft?: number | string } };
  };
  const soft = userLimits?.open_files?.soft;
  return typeof soft === "number" ? soft : Infinity;
}

/** Client connections that so many open files have room for: each needs one to an engine as well. */
export function connectionsWithin(files: number): number {
  return Math.max(1, Math.floor((files - OPEN_FILES_RESERVED) / OPEN_FILES_PER_CONNECTION));
}
