import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Allocation, blockHashes, KvCache } from "../../../engines/sim/kv-cache.ts";

const ids = (count: number, from = 0): number[] =>
  Array.from({ length: count }, (_, at) => from + at);
const hashesOf = (promptIds: number[]): number[] => blockHashes(promptIds, 16);

describe("block hashes", () => {
  test("are one for each full block", () => {
    expect(hashesOf(ids(15))).toHaveLength(0);
    expect(hashesOf(ids(33))).toHaveLength(2);
  });

  test("depend on everything before: the same block after another beginning is another", () => {
    const [a, b] = [
      hashesOf([...ids(16), ...ids(16, 500)]),
      hashesOf([...ids(16, 9), ...ids(16, 500)]),
    ];
    expect(a[1]).not.toBe(b[1]);
  });

  test("agree exactly as far as the prompts do", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(200_000), { minLength: 64, maxLength: 200 }),
        fc.nat(),
        (prompt, at) => {
          const changed = at % prompt.length;
          const other = prompt.with(changed, prompt[changed]! + 1);
          const [a, b] = [hashesOf(prompt), hashesOf(other)];
          const same = Math.floor(changed / 16);
          expect(a.slice(0, same)).toEqual(b.slice(0, same));
          for (let block = same; block < a.length; block++) expect(a[block]).not.toBe(b[block]);
        },
      ),
    );
  });

  test("of thousands of prompts do not collide", () => {
    const seen = new Set<number>();
    for (let prompt = 0; prompt < 5_000; prompt++)
      for (const hash of hashesOf(ids(64, prompt * 7))) seen.add(hash);
    expect(seen.size).toBe(20_000);
  });
});

describe("the cache", () => {
  test("never calls a whole prompt known: its last token is computed for the first answer token", () => {
    const cache = new KvCache(1_600, 16);
    const hashes = hashesOf(ids(64));
    cache.release(cache.allocate(hashes, 64)!);
    expect(cache.allocate(hashes, 64)!.cachedTokens).toBe(48);
  });

  test("shares blocks of those who began alike, and frees them with the last", () => {
    const cache = new KvCache(1_600, 16);
    const hashes = hashesOf(ids(160));
    const [one, two] = [cache.allocate(hashes, 160)!, cache.allocate(hashes, 160)!];
    expect(cache.usage).toBeCloseTo(11 / 100);
    cache.release(one);
    expect(cache.usage).toBeCloseTo(10 / 100);
    cache.release(two);
    expect(cache.usage).toBe(0);
  });

  test("forgets the least recently used first, and of a prompt its end before its beginning", () => {
    const cache = new KvCache(10 * 16, 16);
    const [old, young] = [hashesOf(ids(81)), hashesOf(ids(81, 1000))];
    cache.release(cache.allocate(old, 65)!);
    cache.release(cache.allocate(young, 65)!);
    cache.release(cache.allocate([], 3 * 16)!);
    expect(cache.allocate(young, 65)!.cachedTokens).toBe(64);
    expect(cache.allocate(old, 65)!.cachedTokens).toBe(32);
  });

  test("refuses what it has no room for and takes nothing", () => {
    const cache = new KvCache(160, 16);
    const held = cache.allocate([], 100)!;
    expect(cache.allocate([], 100)).toBeNull();
    expect(cache.available).toBe(3);
    while (cache.extend(held));
    expect(cache.available).toBe(0);
  });

  test("neither loses nor invents a block, whatever is taken, grown and given back", () => {
    const act = fc.record({
      kind: fc.constantFrom("take", "grow", "free"),
      which: fc.nat(30),
      tokens: fc.integer({ min: 1, max: 400 }),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 120 }), (acts) => {
        const cache = new KvCache(2_000, 16);
        const held: Allocation[] = [];
        for (const { kind, which, tokens } of acts) {
          const one = held[which % Math.max(1, held.length)];
          if (kind === "take") {
            const taken = cache.allocate(hashesOf(ids(tokens, (which % 4) * 1000)), tokens);
            if (taken !== null) held.push(taken);
          } else if (one !== undefined && kind === "grow") cache.extend(one);
          else if (one !== undefined) {
            cache.release(one);
            held.splice(held.indexOf(one), 1);
          }
          const own = held.reduce((sum, { ownBlocks }) => sum + ownBlocks, 0);
          const shared = new Set(held.flatMap(({ hashes }) => hashes)).size;
          expect(cache.blocks - cache.available).toBe(own + shared);
          for (const { blocks, ownBlocks, hashes } of held)
            expect(blocks).toBe(ownBlocks + hashes.length);
        }
        for (const one of held) cache.release(one);
        expect(cache.available).toBe(cache.blocks);
        cache.clearIdle();
        expect(cache.available).toBe(cache.blocks);
      }),
    );
  });
});
