import { store } from "./live-store.ts";

/** Why an answer could not be had, in one sentence for the reader. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** What a part of the page that loads something shows. */
export type Loaded<T> =
  | { readonly kind: "loading" }
  | { readonly kind: "error"; readonly message: string }
  | { readonly kind: "ready"; readonly value: T };

export const LOADING = { kind: "loading" } as const;

/** Asks the control plane. @throws {ApiError} with its own sentence where it gave one. */
export async function ask<T>(
  path: string,
  options: {
    readonly method?: string;
    readonly body?: unknown;
    readonly signal?: AbortSignal;
  } = {},
): Promise<T> {
  if (store.isRecording)
    throw new ApiError(0, "This is a recording: it holds what the board was told, and no more.");
  const { method = "GET", body, signal } = options;
  let answer: Response;
  try {
    answer = await fetch(`/api/v1${path}`, {
      method,
      headers: {
        ...bearer(),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch {
    throw new ApiError(0, "The proxy does not answer: try again when the board is live.");
  }
  const value = (await answer.json().catch(() => null)) as
    | (T & { readonly error?: { readonly message?: string } })
    | null;
  if (answer.ok && value !== null) return value;
  const said = value?.error?.message;
  if (answer.status === 401)
    throw new ApiError(401, "This needs the admin token: open the board with ?token=….");
  throw new ApiError(answer.status, said ?? `The proxy answered ${answer.status}.`);
}

/** The same as something to show, whatever came of it. */
export async function load<T>(path: string, signal?: AbortSignal): Promise<Loaded<T>> {
  try {
    return { kind: "ready", value: await ask<T>(path, signal === undefined ? {} : { signal }) };
  } catch (error) {
    return { kind: "error", message: error instanceof Error ? error.message : String(error) };
  }
}

function bearer(): Record<string, string> {
  const token = new URLSearchParams(location.search).get("token");
  return token === null ? {} : { authorization: `Bearer ${token}` };
}
