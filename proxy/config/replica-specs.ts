import { readFileSync } from "node:fs";
import { connectionFault } from "../upstream/connection.ts";
import type { ReplicaSpec } from "../upstream/fleet.ts";
import { ConfigError, type ConfigProblem } from "./config-error.ts";
import type { ReplicaSettings } from "./schema.ts";
import { resolveSecret } from "./secret.ts";

/**
 * Replicas ready to connect to: secrets resolved, certificates read. Done anew at every reload, so that a rotated key or
 * certificate is taken up.
 * @throws {ConfigError} naming each reference that leads nowhere; nothing has been changed then.
 */
export function replicaSpecs(
  replicas: readonly ReplicaSettings[],
  environment: Readonly<Record<string, string | undefined>>,
): readonly ReplicaSpec[] {
  const problems: ConfigProblem[] = [];
  const specs = replicas.map((replica, index) => {
    const at = `replicas[${index}]`;
    const attempt = (field: string, read: () => string): string => {
      try {
        return read();
      } catch (error) {
        problems.push({ where: `${at}.${field}`, message: (error as Error).message });
        return "";
      }
    };
    const secret = (field: string, text: string): string =>
      attempt(field, () => resolveSecret(text, environment));
    const file = (field: string, path: string): string => attempt(field, () => readPem(path));
    const spec = specOf(replica, secret, file);
    const fault = problems.length > 0 ? null : connectionFault(spec);
    if (fault !== null) problems.push({ where: at, message: fault });
    return spec;
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return specs;
}

type Reader = (field: string, text: string) => string;

function specOf(replica: ReplicaSettings, secret: Reader, file: Reader): ReplicaSpec {
  const { apiKey, headers, tls, ...plain } = replica;
  const { ca, cert, key, insecure, serverName } = tls ?? {};
  const read = (field: string, path: string | undefined): object =>
    path === undefined ? {} : { [field]: file(`tls.${field}`, path) };
  const sent = Object.entries(headers ?? {}).map(
    ([name, text]) => [name, secret(`headers.${name}`, text)] as const,
  );
  return {
    ...(defined(plain) as Pick<ReplicaSpec, "url">),
    ...(apiKey === undefined ? {} : { apiKey: secret("apiKey", apiKey) }),
    ...(headers === undefined ? {} : { headers: Object.fromEntries(sent) }),
    ...(tls === undefined
      ? {}
      : {
          tls: {
            ...defined({ insecure, serverName }),
            ...read("ca", ca),
            ...read("cert", cert),
            ...read("key", key),
          },
        }),
  };
}

function readPem(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Error(`${path} cannot be read (${(error as Error).message}).`, { cause: error });
  }
}

function defined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined));
}
