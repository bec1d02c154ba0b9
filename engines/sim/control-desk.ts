import type { IncomingMessage, ServerResponse } from "node:http";
import type { CoreStats } from "./engine-core.ts";
import { BodyError } from "./body-error.ts";
import { type Fault, FaultError, faultKinds, readFaults } from "./faults.ts";
import { readScript, type ScriptStep } from "./fault-script.ts";
import { readBody, sendJson } from "./json-answer.ts";
import type { LagView } from "./lag.ts";
import { LEDGER_ROWS_MAX, type Ledger } from "./ledger.ts";
import type { JsonValue } from "../engine.ts";

/** What the control routes show and switch. */
export interface Controlled {
  state(): SimState;
  readonly books: Ledger;
  setFaults(faults: readonly Fault[]): void;
  play(script: readonly ScriptStep[]): void;
}

/** All there is to know of a simulated engine at this moment. */
export interface SimState {
  readonly persona: string;
  readonly model: string;
  readonly phase: "down" | "loading" | "warming" | "ready";
  /** 0 … 1 of the boot. */
  readonly bootProgress: number;
  /** Lives before this one. */
  readonly restarts: number;
  readonly listening: boolean;
  readonly connections: number;
  readonly faults: readonly Fault[];
  /** Requests each of them has met. */
  readonly met: readonly number[];
  readonly stats: CoreStats;
  readonly lag: LagView;
}

const ROWS_DEFAULT = 100;

/** Answers `/_sim/…`: the simulator's own routes, which no engine has. */
export async function answerControl(
  request: IncomingMessage,
  response: ServerResponse,
  { url, controlled }: { readonly url: URL; readonly controlled: Controlled },
): Promise<void> {
  const asked = `${request.method ?? "GET"} ${url.pathname}`;
  try {
    switch (asked) {
      case "GET /_sim":
        return sendJson(response, 200, index());
      case "GET /_sim/state": {
        const state = { ...controlled.state(), ledger: controlled.books.summary() };
        return sendJson(response, 200, state as unknown as JsonValue);
      }
      case "GET /_sim/ledger": {
        const rows = rowsWanted(url.searchParams.get("limit"));
        return sendJson(response, 200, controlled.books.rows.slice(-rows) as unknown as JsonValue);
      }
      case "GET /_sim/faults":
        break;
      case "PUT /_sim/faults":
        controlled.setFaults(readFaults(await jsonOf(request)));
        break;
      case "DELETE /_sim/faults":
        controlled.setFaults([]);
        break;
      case "PUT /_sim/script": {
        const script = readScript(await jsonOf(request));
        controlled.play(script);
        return sendJson(response, 200, { steps: script.length });
      }
      default:
        request.resume();
        return sendJson(response, 404, {
          error: `${asked} is no route of the simulator: GET /_sim lists them.`,
        });
    }
    const { faults, met, stats } = controlled.state();
    sendJson(response, 200, { faults, met, stats } as unknown as JsonValue);
  } catch (error) {
    if (!(error instanceof FaultError || error instanceof BodyError)) throw error;
    sendJson(response, 400, { error: error.message });
  }
}

async function jsonOf(request: IncomingMessage): Promise<unknown> {
  const text = await readBody(request);
  try {
    return JSON.parse(text);
  } catch {
    throw new FaultError('the body must be JSON, such as [{"kind":"slow","factor":3}].');
  }
}

function rowsWanted(text: string | null): number {
  if (text === null) return ROWS_DEFAULT;
  const rows = Number(text);
  if (Number.isInteger(rows) && rows >= 1 && rows <= LEDGER_ROWS_MAX) return rows;
  throw new FaultError(`limit must be a whole number from 1 to ${LEDGER_ROWS_MAX}, got "${text}".`);
}

function index(): JsonValue {
  return {
    routes: {
      "GET /_sim/state": "phase, faults, counters, lag and the ledger in sum",
      "GET /_sim/ledger?limit=100": "the latest requests in the simulator's own record",
      "PUT /_sim/faults": "replaces the faults; [] heals",
      "DELETE /_sim/faults": "heals",
      "PUT /_sim/script": "plays [{atSeconds, faults}] from now on",
    },
    faults: Object.fromEntries(
      Object.entries(faultKinds).map(([kind, { says, fields }]) => [
        kind,
        { says, fields: Object.keys(fields) },
      ]),
    ),
  };
}
