import { BlockList, isIP } from "node:net";

/** Networks whose word about where a request came from is believed: the load balancers in front of us. */
export class TrustedPeers {
  readonly #list = new BlockList();
  readonly #isEmpty: boolean;

  /** @throws {RangeError} for a text that is neither an address nor a network. */
  constructor(networks: readonly string[]) {
    this.#isEmpty = networks.length === 0;
    for (const network of networks) this.#add(network);
  }

  trusts(address: string): boolean {
    if (this.#isEmpty) return false;
    return this.#list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  }

  #add(network: string): void {
    const [address = "", bits] = network.split("/", 2);
    const version = isIP(address);
    const length = bits === undefined ? (version === 6 ? 128 : 32) : Number(bits);
    const isNetwork =
      version !== 0 &&
      Number.isInteger(length) &&
      length >= 0 &&
      length <= (version === 6 ? 128 : 32);
    if (!isNetwork)
      throw new RangeError(`"${network}" is no network: write 10.0.0.0/8 or a single address.`);
    this.#list.addSubnet(address, length, version === 6 ? "ipv6" : "ipv4");
  }
}

/** A socket's address without the prefix IPv6 sockets put before IPv4 ones. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return "unknown";
  return address.startsWith("::ffff:") ? address.slice(7) : address;
}
