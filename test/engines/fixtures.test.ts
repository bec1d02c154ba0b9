import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { EngineStats } from "../../engines/engine.ts";
import { engines } from "../../engines/index.ts";
import type { Exchange } from "../../engines/exchange.ts";
import { ExchangeTimer } from "../../engines/exchange-timer.ts";
import { identify, PROBES_MAX } from "../../engines/identify.ts";
import { VirtualClock } from "../../engines/virtual-clock.ts";
import {
  type Conversation,
  engineFixtures,
  type LoadedFixture,
} from "../harness/engine-fixtures.ts";

const fixtures = engineFixtures();
const signal = new AbortController().signal;

/** The pieces arrive 1 ms apart: times in the record are indices of pieces. */
function read(
  fixture: LoadedFixture,
  { route, status = 200, type }: Conversation,
  pieces: readonly Uint8Array[],
): Exchange {
  const clock = new VirtualClock(1_000);
  const start = { id: "f", origin: "real", route, model: "m", streamed: true } as const;
  const timer = new ExchangeTimer({ ...start, startedMs: clock.nowMs(), bytesIn: 1 }, clock);
  timer.received();
  timer.routed("replica", engines[fixture.engine], null);
  timer.connected();
  timer.headers(status, type);
  for (const piece of pieces) {
    timer.chunk(piece);
    clock.advance(1);
  }
  return timer.end({ kind: "answered" });
}

/** Each event with its blank line; a body that is no stream is one piece. */
function blocksOf(bytes: Buffer): readonly Uint8Array[] {
  const text = bytes.toString("latin1");
  return (text.match(/[^]*?(?:\r?\n){2}|[^]+$/g) ?? []).map((block) =>
    Buffer.from(block, "latin1"),
  );
}

function readingOf(exchange: Exchange): Conversation["expect"] {
  const { outcome, tokens, outputEvents, times } = exchange;
  return {
    outcome: outcome.kind,
    ends:
      outcome.kind === "completed"
        ? outcome.finishReason
        : outcome.kind === "cancelled"
          ? outcome.phase
          : outcome.code,
    ...tokens,
    outputEvents,
    firstOutput: times.firstTokenMs === null ? null : times.firstTokenMs - times.startedMs,
  };
}

describe.each(fixtures)("$name", (fixture) => {
  test("names the source it follows", () => {
    expect(fixture.follows.length).toBeGreaterThan(0);
    for (const { file, at } of fixture.follows) {
      expect(file).toMatch(/^[\w./-]+\.\w+$/);
      expect(at.length).toBeGreaterThan(1);
    }
  });

  test("is recognised with nothing configured, in few small questions", async () => {
    const asked: string[] = [];
    const recognition = await identify((path) => {
      asked.push(path);
      return Promise.resolve(fixture.page(path));
    }, signal);
    expect(recognition).toMatchObject({ engine: fixture.engine, ...fixture.recognised });
    expect(asked.length).toBeLessThanOrEqual(PROBES_MAX);
    expect(new Set(asked).size).toBe(asked.length);
  });

  test.each(Object.entries(fixture.stats ?? {}))("has its %s read", (path, expected) => {
    const stats = engines[fixture.engine].stats.read(path, fixture.page(path).body);
    const told = Object.keys(expected ?? {}) as (keyof EngineStats)[];
    const read =
      stats === null ? null : Object.fromEntries(told.map((name) => [name, stats[name]]));
    expect(read).toEqual(expected);
  });

  test.each(fixture.conversations)("$name is read as it must be", (conversation) => {
    const bytes = fixture.bytesOf(conversation);
    const { expect: wanted } = conversation;
    expect(readingOf(read(fixture, conversation, blocksOf(bytes)))).toMatchObject(wanted);
  });

  test.each(fixture.conversations)("$name is read alike at any split", (conversation) => {
    const bytes = fixture.bytesOf(conversation);
    const still = (exchange: Exchange): object => {
      const { firstOutput: _moved, ...rest } = readingOf(exchange);
      return rest;
    };
    const whole = still(read(fixture, conversation, [bytes]));
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 12 }), (cuts) => {
        const borders = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
        const pieces = borders
          .slice(1)
          .map((to, index) => bytes.subarray(borders[index], to))
          .filter((piece) => piece.length > 0);
        expect(still(read(fixture, conversation, pieces))).toEqual(whole);
      }),
      { numRuns: 30, seed: 7 },
    );
    const bytewise = [...bytes].map((byte) => Uint8Array.of(byte));
    expect(still(read(fixture, conversation, bytewise))).toEqual(whole);
  });
});

test("every dialect has fixtures of more than one version", () => {
  const versions = Object.keys(engines).map(
    (name) => fixtures.filter(({ engine }) => engine === name).length,
  );
  expect(Math.min(...versions)).toBeGreaterThan(1);
});
