import { InvalidArgumentError, Option } from "commander";

/** Where a listener binds. Port 0 takes any free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const PORT_MAX = 65_535;

/**
 * Reads `host:port`, `[v6]:port`, `:port` or a port alone (all interfaces).
 * @throws {InvalidArgumentError} naming the value and the form wanted.
 */
export function parseListen(text: string): ListenAddress {
  const [, bracketed, plain, portText] =
    /^(?:(?:\[([^\]]+)\]|([^:]*)):)?(\d{1,5})$/.exec(text.trim()) ?? [];
  const port = Number(portText);
  if (portText === undefined || port > PORT_MAX) {
    throw new InvalidArgumentError(
      `"${text}" is not an address: write host:port, such as 127.0.0.1:8080.`,
    );
  }
  const host = bracketed ?? plain ?? "";
  return { host: host === "" ? "0.0.0.0" : host, port };
}

/** A flag that takes an address; its default is shown as it would be typed. */
export function addressOption(flags: string, description: string, byDefault: string): Option {
  return new Option(flags, description)
    .argParser(parseListen)
    .default(parseListen(byDefault), byDefault);
}

/** Whether only programs on this machine can reach the address. */
export function isLoopback({ host }: ListenAddress): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

/** `host:port` for people and URLs. */
export function showAddress({ host, port }: ListenAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
