import { expect, test } from "vitest";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import { Queue, type QueueEnd } from "../../../proxy/admission/queue.ts";

function start(queueMax = 3): { clock: VirtualClock; queue: Queue } {
  const clock = new VirtualClock();
  return { clock, queue: new Queue(clock, { queueMax, queueMs: 1_000 }) };
}

test("calls up whoever waits longest, and a request called up in vain is first again", async () => {
  const { queue } = start();
  const order: string[] = [];
  const join = (name: string, at: "end" | "front" = "end"): void => {
    void queue.join("m", at)?.ended.then((how) => order.push(`${name} ${how}`));
  };
  join("first");
  join("second");
  queue.callUp(["m"]);
  join("first again", "front");
  queue.callUp(["m"]);
  queue.callUp([]);
  await Promise.resolve();
  await Promise.resolve();
  expect(order).toEqual(["first turn", "first again turn", "second turn"]);
  expect(queue.length).toBe(0);
});

test("R09 refuses the request that finds every place taken, per model", () => {
  const { queue } = start(2);
  expect(
    [queue.join("m"), queue.join("m"), queue.join("m")].map((place) => place !== null),
  ).toEqual([true, true, false]);
  expect(queue.join("other")).not.toBeNull();
});

test("R10 ends a wait that is too long, on the clock, and skips the ones that left", async () => {
  const { clock, queue } = start();
  const ends: (QueueEnd | undefined)[] = [];
  const places = [queue.join("m"), queue.join("m"), queue.join("m")];
  for (const place of places) void place?.ended.then((how) => ends.push(how));
  places[0]?.leave();
  clock.advance(999);
  queue.callUp(["m"]);
  await clock.advanceSettling(1);
  expect(ends).toEqual(["left", "turn", "timeout"]);
  expect([queue.length, clock.nextDueMs()]).toEqual([0, null]);
});

test("a replica calls up only those whose model it serves", async () => {
  const { queue } = start();
  let called = "";
  void queue.join("a")?.ended.then(() => (called += "a"));
  void queue.join("b")?.ended.then(() => (called += "b"));
  queue.callUp(["b", "c"]);
  await Promise.resolve();
  await Promise.resolve();
  expect(called).toBe("b");
});
