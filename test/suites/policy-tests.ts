import { describe, expect, test } from "vitest";
import { seededRandom } from "../../engines/random.ts";
import { VirtualClock } from "../../engines/virtual-clock.ts";
import type { Policy } from "../../proxy/routing/policy.ts";
import { Replica } from "../../proxy/upstream/replica.ts";

const request = { model: "m", session: null, bodyBytes: 100 };

function replicas(loads: readonly number[]): Replica[] {
  return loads.map((inFlight, index) => {
    const replica = new Replica(`r${index}`, `http://127.0.0.1:${index + 1}`, new VirtualClock());
    for (let count = 0; count < inFlight; count++) replica.charge();
    return replica;
  });
}

/** What every policy must keep to, whatever it prefers. */
export function policyTests(
  name: string,
  build: (random: ReturnType<typeof seededRandom>) => Policy,
): void {
  describe(`policy ${name}`, () => {
    test("chooses one of the candidates and says why, in a label and in words", () => {
      const candidates = replicas([0, 3, 1]);
      const choice = build(seededRandom(1)).choose(candidates, request);
      expect(candidates).toContain(choice.replica);
      expect(choice.reason).toMatch(/^[a-z_]+$/);
      expect(choice.sentence.length).toBeGreaterThan(3);
    });

    test("has no choice with one candidate", () => {
      const [only] = replicas([9]);
      expect(build(seededRandom(1)).choose([only!], request).replica).toBe(only);
    });

    test("spreads equal requests over equal replicas", () => {
      const candidates = replicas([0, 0, 0, 0]);
      const policy = build(seededRandom(1));
      const counts = new Map<Replica, number>();
      for (let index = 0; index < 400; index++) {
        const { replica } = policy.choose(candidates, request);
        counts.set(replica, (counts.get(replica) ?? 0) + 1);
      }
      expect(counts.size).toBe(4);
      expect(Math.min(...counts.values())).toBeGreaterThan(60);
    });

    test("decides the same way for the same randomness", () => {
      const decide = (): string[] => {
        const policy = build(seededRandom(3));
        const candidates = replicas([1, 1, 0, 1, 0]);
        return Array.from({ length: 20 }, () => policy.choose(candidates, request).replica.id);
      };
      expect(decide()).toEqual(decide());
    });
  });
}
