import { connect } from "node:tls";
import type { ProbeAnswer, Recognition } from "../../engines/engine.ts";
import { reasonOf } from "../upstream/probe.ts";

/** Whether a server greets with TLS is known at once on any network worth measuring over. */
const GREETING_LIMIT_MS = 1_000;

/** Why nothing answers at a URL, in one sentence that says what to do. */
export async function unreachableProblem(url: string, error: unknown): Promise<string> {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const { hostname } = new URL(url);
  const reason = reasonOf(error);
  if (code === "ECONNREFUSED")
    return `nothing listens at ${url}: start the engine there, or check the port (most engines refuse connections while they load).`;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return `the host name ${hostname} is not known: check its spelling, or this machine's DNS.`;
  if (code === "ETIMEDOUT" || code === "EHOSTUNREACH" || code === "ENETUNREACH")
    return `${url} cannot be reached (${reason}): check the address, the network and any firewall between.`;
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG")
    return `${url} does not speak TLS: write ${url.replace("https:", "http:")}.`;
  if (reason.startsWith("certificate"))
    return `${url}: its ${reason}: trust it with --ca FILE, or take any with --insecure.`;
  if (url.startsWith("http:") && (await speaksTls(url)))
    return `${url} speaks TLS: write ${url.replace("http:", "https:")}.`;
  return `${url} takes connections but does not answer (${reason}): it hangs, or speaks no HTTP.`;
}

/** Why what answers cannot be measured yet, or `null`. `models` is its answer to `/v1/models`. */
export function answerProblem(
  url: string,
  recognition: Recognition,
  { models, hasKey }: { readonly models: ProbeAnswer; readonly hasKey: boolean },
): string | null {
  const { status, path, body } = models;
  if (status === 401 || status === 403) return keyProblem(url, status, hasKey);
  if (status === 503 && /load|start|warm/i.test(body))
    return `${url} is still loading its model: try again when it is ready.`;
  if (status >= 500)
    return `${url}: ${path} answers ${status}: the server is ill, or not ready yet.`;
  if (recognition.models.length > 0) return null;
  if (recognition.engine !== "openai")
    return `${url} lists no model: load one, or give its name with --model.`;
  if (status === 404)
    return `${url} answers HTTP but has no ${path}: it is no inference engine, or its API lies under another path.`;
  return `${url} answers HTTP, but ${path} (status ${status}) is no model list: it is no inference engine, or something in front answers for it.`;
}

/** What to do about a 401 or 403. */
export function keyProblem(url: string, status: number, hasKey: boolean): string {
  return hasKey
    ? `${url} does not take the key it was given (${status}): check it with whoever started the engine.`
    : `${url} wants a key (${status}): give it with --api-key or PITOT_API_KEY, and to the proxy as apiKey of this replica.`;
}

function speaksTls(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  const socket = connect({ host, port: Number(port || 80), rejectUnauthorized: false });
  return new Promise((resolve) => {
    const finish = (spoke: boolean): void => {
      socket.destroy();
      resolve(spoke);
    };
    socket.once("secureConnect", () => finish(true));
    socket.once("error", () => finish(false));
    socket.setTimeout(GREETING_LIMIT_MS, () => finish(false));
  });
}
