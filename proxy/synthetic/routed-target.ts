import { LABEL_HEADER, markHeaders } from "./synthetic-mark.ts";
import type { PathSetup } from "./thread-messages.ts";

/**
 * The way every client takes: through the proxy's own port. The mark pins each request to the swept replica, so that the two
 * ways differ in the proxy and in nothing else; the proxy adds the replica's keys itself.
 */
export function routedTarget(
  direct: PathSetup,
  { dataUrl, token, replica }: { dataUrl: string; token: string; replica: string },
): PathSetup {
  return {
    ...direct,
    url: dataUrl,
    headers: markHeaders(token, replica),
    connect: {},
    labelHeader: LABEL_HEADER,
  };
}
