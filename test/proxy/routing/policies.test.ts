import { expect, test } from "vitest";
import { seededRandom } from "../../../engines/random.ts";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import { policies } from "../../../proxy/routing/policies/index.ts";
import { Replica } from "../../../proxy/upstream/replica.ts";
import { policyTests } from "../../suites/policy-tests.ts";

for (const [name, build] of Object.entries(policies)) policyTests(name, build);

const fleet = (loads: readonly number[]): Replica[] =>
  loads.map((inFlight, index) => {
    const url = `http://127.0.0.1:${index + 1}`;
    const replica = new Replica(`r${index}`, url, new VirtualClock());
    for (let request = 0; request < inFlight; request++) replica.charge();
    return replica;
  });

test("least-in-flight never picks a busier replica", () => {
  const policy = policies["least-in-flight"](seededRandom(1));
  for (let index = 0; index < 50; index++) {
    expect(["r1", "r3"]).toContain(
      policy.choose(fleet([5, 1, 2, 1]), { model: "m", session: null, bodyBytes: 1 }).replica.id,
    );
  }
});

test("round-robin keeps a turn of its own for each model", () => {
  const policy = policies["round-robin"]();
  const candidates = fleet([0, 0]);
  const turn = (model: string): string =>
    policy.choose(candidates, { model, session: null, bodyBytes: 1 }).replica.id;
  expect([turn("a"), turn("b"), turn("a"), turn("b"), turn("a")]).toEqual([
    "r0",
    "r0",
    "r1",
    "r1",
    "r0",
  ]);
});
