import type { SweepRequest } from "./sweep-view.ts";

/**
 * The command line that asks for the same again. A fit is on no flag, and the trace it was made of lies wherever its sender was:
 * such a request is sent again as it stands.
 */
export function commandOf(request: SweepRequest): string {
  if (request.fit !== undefined) return curlOf(request);
  const words = ["pitot sweep --replica", quoted(request.replica)];
  const flag = (name: string, value: string | number | undefined): void => {
    if (value !== undefined) words.push(`--${name}`, quoted(String(value)));
  };
  flag("model", request.model);
  for (const shape of request.shapes ?? [])
    flag(/^\d+[x/]\d+$/.test(shape) ? "shape" : "shapes", shape);
  flag("preset", request.preset);
  for (const objective of request.objectives ?? []) flag("objective", objective);
  flag("path", request.path);
  flag("traffic", request.traffic);
  flag("share", request.limits?.share);
  flag("tokens", request.limits?.tokens);
  flag("minutes", request.limits?.minutes);
  flag(
    "guard-ttft",
    request.guards?.ttftP95Ms === undefined ? undefined : `${request.guards.ttftP95Ms}ms`,
  );
  flag("guard-burn", request.guards?.burnRate);
  flag("guard-in-flight", request.guards?.inFlight);
  flag("seed", request.seed);
  if (request.confirm === true) words.push("--confirm");
  if (request.force === true) words.push("--force");
  return words.join(" ");
}

/** To the admin address the other commands take when they are told none. */
function curlOf(request: SweepRequest): string {
  const url = "http://127.0.0.1:8081/api/v1/sweeps";
  const json = quoted("content-type: application/json");
  return `curl -X POST ${url} -H ${json} -d ${quoted(JSON.stringify({ ...request, leaseSeconds: undefined }))}`;
}

function quoted(word: string): string {
  return /^[\w./:@,+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
