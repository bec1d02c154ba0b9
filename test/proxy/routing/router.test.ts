import { describe, expect, test } from "vitest";
import { seededRandom } from "../../../engines/random.ts";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import { Router } from "../../../proxy/routing/router.ts";
import { Replica } from "../../../proxy/upstream/replica.ts";
import type { ReplicaSet } from "../../../proxy/upstream/replica-set.ts";

const WISH = { model: "", session: null, bodyBytes: 0 };

function start(
  count: number,
  inFlightMax = 10,
): { clock: VirtualClock; replicas: Replica[]; router: Router } {
  const clock = new VirtualClock(1_000_000);
  const replicas = Array.from({ length: count }, (_, index) => {
    const replica = new Replica(`r${index}`, `http://127.0.0.1:${index + 1}`, clock, {
      inFlightMax,
    });
    replica.enter("up", "test");
    return replica;
  });
  const set = { all: () => replicas } as unknown as ReplicaSet;
  return { clock, replicas, router: new Router(set, "least-in-flight", seededRandom(1)) };
}

/** Share of a thousand choices that fall on the first replica. */
function shareOfFirst({ router, replicas }: { router: Router; replicas: Replica[] }): number {
  let first = 0;
  for (let choice = 0; choice < 1_000; choice++) {
    const routed = router.route(WISH, new Set());
    if (routed.kind === "routed" && routed.replica === replicas[0]) first++;
  }
  return first / 1_000;
}

describe("the router", () => {
  test("F47 gives a replica that came back a small share at first, its fair share after fifteen seconds", () => {
    const fleet = start(4);
    fleet.replicas[0]!.enter("down", "test");
    fleet.replicas[0]!.enter("up", "test");
    const shares = [shareOfFirst(fleet)];
    for (let step = 0; step < 3; step++) {
      fleet.clock.advance(5_000);
      shares.push(shareOfFirst(fleet));
    }
    expect(shares[0]).toBeLessThan(0.06);
    expect(shares[1]).toBeGreaterThan(shares[0]!);
    expect(shares[2]).toBeGreaterThan(shares[1]!);
    expect(Math.abs(shares[3]! - 0.25)).toBeLessThan(0.05);
  });

  test("a replica that came back alone gets everything", () => {
    const fleet = start(1);
    fleet.replicas[0]!.enter("down", "test");
    fleet.replicas[0]!.enter("up", "test");
    expect(shareOfFirst(fleet)).toBe(1);
  });

  test("a replica that said not now without saying when is avoided, and used where nobody else is left", () => {
    const { router, replicas, clock } = start(2);
    replicas[0]!.pushBack(null);
    expect(shareOfFirst({ router, replicas })).toBe(0);
    replicas[1]!.pushBack(null);
    expect(router.route(WISH, new Set()).kind).toBe("routed");
    replicas[0]!.pushBack(7_000);
    replicas[1]!.pushBack(9_000);
    expect(router.route(WISH, new Set())).toEqual({ kind: "pushed-back", retryAfterMs: 7_000 });
    clock.advance(7_000);
    expect(shareOfFirst({ router, replicas })).toBe(1);
  });

  test("R21 counts its own requests and asks no engine's gauges, which may be old", () => {
    const { router, replicas } = start(2);
    replicas[0]!.charge();
    replicas[1]!.stats = {
      ...(replicas[1]!.stats ?? ({} as never)),
      waiting: 500,
      running: 500,
    } as never;
    expect(shareOfFirst({ router, replicas })).toBe(0);
  });

  test("names what is in the way: full, or nobody", () => {
    const { router, replicas } = start(1, 1);
    replicas[0]!.charge();
    expect(router.route(WISH, new Set())).toEqual({ kind: "full" });
    expect(router.route(WISH, new Set(replicas))).toEqual({ kind: "none" });
    replicas[0]!.enter("draining", "test");
    expect(router.route(WISH, new Set())).toEqual({ kind: "none" });
  });
});
