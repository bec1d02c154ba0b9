import { systemClock } from "../../engines/clock.ts";
import type { Engine, Recognition } from "../../engines/engine.ts";
import { engines } from "../../engines/index.ts";
import type { WorkerSetup } from "../../load/generator/worker-messages.ts";
import { HttpTarget } from "../../load/http-target.ts";
import { keyProblem } from "../doctor/problem.ts";
import {
  type Connection,
  type ConnectionOptions,
  openConnection,
  socketOptions,
} from "../upstream/connection.ts";
import { recognise } from "../upstream/recognise.ts";
import { FleetError } from "../upstream/fleet.ts";
import { originOf } from "../upstream/replica-set.ts";
import { type ConnectionFlags, connectionOf } from "./connection-flags.ts";
import { CommandError, EXIT } from "./exit.ts";

/** The one request that tries out forced lengths: unusual enough not to be where an answer ends by itself. */
const FORCED_TOKENS = 3;
const LENGTH_TIMEOUT_MS = 30_000;

export interface OpenTarget {
  readonly target: HttpTarget;
  readonly model: string;
  readonly engine: Engine;
  readonly recognition: Recognition;
  /** The target as plain data, for threads to open it again. */
  readonly setup: WorkerSetup;
}

/**
 * Recognises what answers at a URL and makes it a target.
 * @throws {CommandError} 1 when a key is missing or wrong, 2 for a bad URL or unknown model, 3 when nothing answers.
 */
export async function openTarget(
  text: string,
  wanted: string | undefined,
  flags: ConnectionFlags = {},
): Promise<OpenTarget> {
  const url = originFlag(text);
  const options = connectionOf(flags);
  const connection = openConnection(url, options);
  try {
    return await open(url, wanted, { connection, options });
  } finally {
    await connection.pool.destroy();
  }
}

interface Reached {
  readonly connection: Connection;
  readonly options: ConnectionOptions;
}

async function open(
  url: string,
  wanted: string | undefined,
  { connection, options }: Reached,
): Promise<OpenTarget> {
  const { recognition, models } = await recognise(connection, new AbortController().signal);
  if (models.status === 0)
    throw new CommandError(
      EXIT.unreachable,
      `nothing answers at ${url} (${models.body}): check the address and that the engine runs.`,
    );
  if (models.status === 401 || models.status === 403)
    throw new CommandError(
      EXIT.failure,
      keyProblem(url, models.status, connection.headers.length > 0),
    );
  const served = recognition.models.map((model) => model.id);
  const model = wanted ?? served[0];
  if (model === undefined)
    throw new CommandError(EXIT.usage, `${url} lists no model: name one with --model.`);
  if (served.length > 0 && !served.includes(model)) {
    throw new CommandError(
      EXIT.usage,
      `${url} does not serve "${model}": it serves ${served.join(", ")}.`,
    );
  }
  const engine = engines[recognition.engine];
  const forceWith =
    recognition.engine === "openai" ? await lengthForcer(connection, model) : engine;
  const setup: WorkerSetup = {
    url,
    model,
    engine: engine.name,
    exactLength: forceWith !== null,
    forceWith: forceWith?.name ?? null,
    refused: [],
    headers: connection.headers,
    connect: socketOptions(options.tls),
  };
  const target = new HttpTarget({
    ...setup,
    engine,
    forceWith: forceWith ?? engine,
    clock: systemClock,
  });
  return { target, model, engine, recognition, setup };
}

/**
 * The dialect whose fields make a server of unknown kind produce an exact length, tried with one request of three tokens: a
 * proxy in front of engines hands the fields on, a hosted service refuses or ignores them. `null` when none does.
 */
async function lengthForcer(connection: Connection, model: string): Promise<Engine | null> {
  const ask = { model, messages: [{ role: "user", content: "Hello" }] };
  try {
    const { statusCode, body } = await connection.pool.request({
      path: "/v1/chat/completions",
      method: "POST",
      headers: ["content-type", "application/json", ...connection.headers],
      body: JSON.stringify(engines.vllm.forceLength(ask, FORCED_TOKENS)),
      signal: AbortSignal.timeout(LENGTH_TIMEOUT_MS),
    });
    const answer = engines.openai.readAnswer(await body.text(), "chat");
    const exact = statusCode === 200 && answer.usage?.outputTokens === FORCED_TOKENS;
    return exact ? engines.vllm : null;
  } catch {
    // Too slow to say, or no answer at all: the run itself will tell more than this could.
    return null;
  }
}

function originFlag(text: string): string {
  try {
    return originOf(text);
  } catch (error) {
    throw error instanceof FleetError ? new CommandError(EXIT.usage, error.message) : error;
  }
}
