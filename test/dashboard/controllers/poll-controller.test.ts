import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { PollController } from "../../../dashboard/controllers/poll-controller.ts";

const EVERY_MS = 2_000;

let asked: string[];
let answer: () => Response;
let updates: number;
let isHeld: boolean;

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  updates = 0;
  isHeld = false;
  answer = () => Response.json({ n: asked.length });
  vi.stubGlobal("location", { search: "" });
  vi.stubGlobal("fetch", (url: string) => {
    asked.push(url);
    return Promise.resolve(answer());
  });
  return () => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  };
});

const host = {
  addController: () => {},
  removeController: () => {},
  updateComplete: Promise.resolve(true),
  requestUpdate: () => {
    updates++;
  },
};

let poll: PollController<{ n: number }>;
afterEach(() => {
  poll.hostDisconnected();
});

function connected(everyMs: () => number | null = () => EVERY_MS): PollController<{ n: number }> {
  poll = new PollController<{ n: number }>(host, everyMs, () => isHeld);
  poll.hostConnected();
  return poll;
}

describe("a poll", () => {
  test("asks at once and again when the time has come, and says what is new", async () => {
    connected().ask("/requests");
    await vi.advanceTimersByTimeAsync(2 * EVERY_MS);
    expect(asked).toEqual(Array(3).fill("/api/v1/requests"));
    expect(poll.answer).toEqual({ kind: "ready", value: { n: 3 } });
    expect(updates).toBe(3);
  });

  test("that is held asks nobody and shows what it had; let go, it asks again", async () => {
    connected().ask("/requests");
    await vi.advanceTimersByTimeAsync(0);
    isHeld = true;
    await vi.advanceTimersByTimeAsync(10 * EVERY_MS);
    expect([asked.length, updates]).toEqual([1, 1]);
    expect(poll.answer).toEqual({ kind: "ready", value: { n: 1 } });
    isHeld = false;
    await vi.advanceTimersByTimeAsync(EVERY_MS);
    expect(asked.length).toBe(2);
  });

  test("that is held from the start still gets its first answer, trying until there is one", async () => {
    isHeld = true;
    answer = () => Response.json({ error: { message: "not yet" } }, { status: 503 });
    connected().ask("/requests");
    await vi.advanceTimersByTimeAsync(0);
    expect(poll.answer).toEqual({ kind: "error", message: "not yet" });
    answer = () => Response.json({ n: 7 });
    await vi.advanceTimersByTimeAsync(10 * EVERY_MS);
    expect([asked.length, poll.answer]).toEqual([2, { kind: "ready", value: { n: 7 } }]);
  });

  test("of another address forgets the old answer, and an answer that comes late", async () => {
    let late: (value: Response) => void = () => {};
    vi.stubGlobal("fetch", (url: string) => {
      asked.push(url);
      if (asked.length > 1) return Promise.resolve(Response.json({ n: 2 }));
      return new Promise<Response>((resolve) => {
        late = resolve;
      });
    });
    connected().ask("/one");
    poll.ask("/two");
    expect(poll.answer.kind).toBe("loading");
    await vi.advanceTimersByTimeAsync(0);
    late(Response.json({ n: 1 }));
    await vi.advanceTimersByTimeAsync(0);
    expect(poll.answer).toEqual({ kind: "ready", value: { n: 2 } });
  });

  test("of nothing, of what is over, or of a host that has gone, asks no more", async () => {
    connected(() => null).ask("/over");
    await vi.advanceTimersByTimeAsync(10 * EVERY_MS);
    expect(asked.length).toBe(1);
    poll.ask(null);
    await vi.advanceTimersByTimeAsync(10 * EVERY_MS);
    expect([asked.length, poll.answer.kind]).toEqual([1, "loading"]);
    poll.hostDisconnected();
    connected().ask("/gone");
    poll.hostDisconnected();
    await vi.advanceTimersByTimeAsync(10 * EVERY_MS);
    expect(asked.length).toBe(2);
  });
});
