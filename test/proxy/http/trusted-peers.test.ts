import { describe, expect, test } from "vitest";
import { plainAddress, TrustedPeers } from "../../../proxy/http/trusted-peers.ts";

describe("peers whose word counts", () => {
  test.each([
    ["10.0.0.0/8", "10.1.2.3", true],
    ["10.0.0.0/8", "11.1.2.3", false],
    ["192.0.2.7", "192.0.2.7", true],
    ["192.0.2.7", "192.0.2.8", false],
    ["fd00::/8", "fd12::1", true],
    ["fd00::/8", "fe80::1", false],
    ["0.0.0.0/0", "203.0.113.1", true],
    ["10.0.0.0/8", "unknown", false],
  ])("%s and %s: %s", (network, address, isTrusted) => {
    expect(new TrustedPeers([network]).trusts(address)).toBe(isTrusted);
  });

  test("are nobody unless named", () => {
    expect(new TrustedPeers([]).trusts("127.0.0.1")).toBe(false);
  });

  test.each([
    "",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0/8",
    "10.0.0.0/",
    "lb.example",
    "fd00::/129",
  ])("are not read from %j", (network) => {
    expect(() => new TrustedPeers([network])).toThrow(RangeError);
  });

  test("are known by their IPv4 address on an IPv6 socket too", () => {
    expect(plainAddress("::ffff:10.0.0.1")).toBe("10.0.0.1");
    expect(plainAddress("::1")).toBe("::1");
  });
});
