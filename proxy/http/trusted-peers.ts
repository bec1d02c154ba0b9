import { BlockList, isIP } from "node:net";

export interface Network {
  readonly address: string;
  /** Leading bits that its addresses share. */
  readonly length: number;
  readonly family: "ipv4" | "ipv6";
}

/** Networks whose word about where a request came from is believed: the load balancers in front of us. */
export class TrustedPeers {
  readonly #list = new BlockList();
  readonly #isEmpty: boolean;

  /** @throws {RangeError} for a text that is neither an address nor a network. */
  constructor(networks: readonly string[]) {
    this.#isEmpty = networks.length === 0;
    for (const { address, length, family } of networks.map(parseNetwork))
      this.#list.addSubnet(address, length, family);
  }

  trusts(address: string): boolean {
    if (this.#isEmpty) return false;
    return this.#list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  }
}

/** An address or a network in the form `10.0.0.0/8`. @throws {RangeError} for a text that is neither. */
export function parseNetwork(text: string): Network {
  const [address = "", bits] = text.split("/", 2);
  const version = isIP(address);
  const bitsMax = version === 6 ? 128 : 32;
  const length = bits === undefined ? bitsMax : Number(bits);
  const isNetwork =
    version !== 0 && bits !== "" && Number.isInteger(length) && length >= 0 && length <= bitsMax;
  if (!isNetwork)
    throw new RangeError(`"${text}" is no network: write 10.0.0.0/8 or a single address.`);
  return { address, length, family: version === 6 ? "ipv6" : "ipv4" };
}

/** A socket's address without the prefix IPv6 sockets put before IPv4 ones. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return "unknown";
  return address.startsWith("::ffff:") ? address.slice(7) : address;
}
