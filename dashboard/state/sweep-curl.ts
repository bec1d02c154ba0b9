import type { SweepRequest } from "../../proxy/synthetic/sweep-view.ts";

/** The request for a sweep as a command line, to the proxy whose board this is. A lease would end it: nobody asks again. */
export function sweepCurl(request: SweepRequest): string {
  const body = JSON.stringify({ ...request, leaseSeconds: undefined }).replaceAll("'", `'\\''`);
  return `curl -X POST ${location.origin}/api/v1/sweeps -H 'content-type: application/json' -d '${body}'`;
}
