/** What a client says about the handling of its request, beside the request itself. */
export interface ClientWishes {
  /** Time it gives the whole request, in ms; `Infinity` when it says nothing. */
  readonly timeoutMs: number;
  /** It is a repetition already, or the client wants none: one layer that retries is enough. */
  readonly retriesItself: boolean;
}

const NONE: ClientWishes = { timeoutMs: Infinity, retriesItself: false };
/** Longest time a client may ask for: a day. */
const TIMEOUT_MS_MAX = 86_400_000;

/**
 * Reads `x-pitot-timeout-ms` and the marks of clients that retry: `x-stainless-retry-count` of the official OpenAI SDKs
 * (0 on the first try), `x-retry-attempt`, `x-no-retry`. One pass over the flat list. A string is what is wrong, for
 * the client.
 */
export function clientWishes(raw: readonly string[]): ClientWishes | string {
  let wishes = NONE;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? "";
    // All four begin with x: most headers need no lower-casing.
    if (name.charCodeAt(0) !== 120 && name.charCodeAt(0) !== 88) continue;
    const value = raw[index + 1] ?? "";
    switch (name.toLowerCase()) {
      case "x-pitot-timeout-ms": {
        const timeoutMs = Number(value);
        if (!/^\d+$/.test(value) || timeoutMs < 1 || timeoutMs > TIMEOUT_MS_MAX)
          return `x-pitot-timeout-ms is "${value.slice(0, 40)}": give whole milliseconds from 1 to ${TIMEOUT_MS_MAX}.`;
        wishes = { ...wishes, timeoutMs };
        break;
      }
      case "x-stainless-retry-count":
      case "x-retry-attempt":
        if (Number(value) > 0) wishes = { ...wishes, retriesItself: true };
        break;
      case "x-no-retry":
        wishes = { ...wishes, retriesItself: true };
        break;
    }
  }
  return wishes;
}
