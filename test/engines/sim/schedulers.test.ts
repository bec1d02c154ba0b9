import { describe, expect, test } from "vitest";
import { KvCache } from "../../../engines/sim/kv-cache.ts";
import { NoEviction } from "../../../engines/sim/schedulers/no-eviction.ts";
import { PrefillFirst } from "../../../engines/sim/schedulers/prefill-first.ts";
import type {
  Scheduler,
  SchedulerState,
  StepPlan,
} from "../../../engines/sim/schedulers/scheduler.ts";
import { Slots } from "../../../engines/sim/schedulers/slots.ts";
import { Unified } from "../../../engines/sim/schedulers/unified.ts";
import { Sequence } from "../../../engines/sim/sequence.ts";

const silent = { tokens: () => {}, finished: () => {}, failed: () => {} };

function waiting(input: number, output = 100): Sequence {
  const request = {
    id: "x",
    promptIds: { length: input },
    outputTokens: output,
    outputTokensMax: output,
    apiMs: 0,
  };
  return new Sequence(request, silent, 0, []);
}

function state(
  limits: Partial<SchedulerState["limits"]> & { capacity?: number },
  ...sequences: Sequence[]
): SchedulerState {
  const { capacity = 100_000, ...rest } = limits;
  return {
    waiting: sequences,
    running: [],
    cache: new KvCache(capacity, 16),
    limits: { sequencesMax: 64, stepTokensMax: 8192, decodeTokens: 1, ...rest },
  };
}

/** Does the work of a plan, as the engine's loop does. */
function work(plan: StepPlan): void {
  for (const { sequence, tokens } of plan.chunks) {
    sequence.computed += tokens;
    if (sequence.computed >= sequence.needed) sequence.generated++;
  }
  for (const sequence of plan.decodes) {
    sequence.computed++;
    sequence.generated++;
  }
}

function step(scheduler: Scheduler, on: SchedulerState): StepPlan {
  const plan = scheduler.plan(on);
  work(plan);
  return plan;
}

const chunksOf = (plan: StepPlan): number[] => plan.chunks.map(({ tokens }) => tokens);

describe("vLLM", () => {
  test("cuts a prompt to the step's budget and takes the next prompt into what is left", () => {
    const on = state({ stepTokensMax: 1000 }, waiting(1500), waiting(300), waiting(900));
    const scheduler = new Unified();
    expect(chunksOf(step(scheduler, on))).toEqual([1000]);
    expect(chunksOf(step(scheduler, on))).toEqual([500, 300, 200]);
  });

  test("mixes decodes with prompts, decodes first", () => {
    const on = state({ stepTokensMax: 1000 }, waiting(100));
    const scheduler = new Unified();
    step(scheduler, on);
    on.waiting.push(waiting(2000));
    const plan = step(scheduler, on);
    expect(plan.decodes).toHaveLength(1);
    expect(chunksOf(plan)).toEqual([999]);
  });

  test("seats no more than its limit", () => {
    const on = state({ sequencesMax: 2 }, waiting(10), waiting(10), waiting(10));
    expect(step(new Unified(), on).chunks).toHaveLength(2);
    expect(on.waiting).toHaveLength(1);
  });

  test("throws out the youngest when blocks run out, sends it to the front, and admits nobody in that step", () => {
    // Three blocks each for two prompts of 47 tokens: the next token of both fits, the one after does not.
    const [old, young, newcomer] = [waiting(47), waiting(47), waiting(10)];
    const on = state({ capacity: 6 * 16 }, old, young);
    const scheduler = new Unified();
    step(scheduler, on);
    step(scheduler, on);
    on.waiting.push(newcomer);
    const plan = step(scheduler, on);
    expect(plan.preempted).toBe(1);
    expect(plan.decodes).toEqual([old]);
    expect(on.running).toEqual([old]);
    expect(on.waiting).toEqual([young, newcomer]);
    expect(young).toMatchObject({ computed: 0, generated: 2, preemptions: 1, allocation: null });
  });

  test("computes prompt and answer again for one that was thrown out, then goes on where it was", () => {
    const victim = waiting(47);
    victim.generated = 5;
    victim.preemptions = 1;
    const on = state({}, victim);
    const scheduler = new Unified();
    expect(chunksOf(step(scheduler, on))).toEqual([52]);
    expect(victim.generated).toBe(6);
    expect(step(scheduler, on).decodes).toEqual([victim]);
  });

  test("waits with a whole prompt that does not fit, and does not let a shorter one past", () => {
    const [long, short] = [waiting(200), waiting(10)];
    const on = state({ capacity: 256 }, waiting(100), long, short);
    step(new Unified(), on);
    expect(on.waiting).toEqual([long, short]);
  });

  test("keeps room for drafts of a decoding sequence", () => {
    const on = state({ decodeTokens: 4, capacity: 64 }, waiting(14));
    const scheduler = new Unified();
    step(scheduler, on);
    step(scheduler, on);
    expect(on.running[0]!.allocation!.blocks).toBe(2);
  });
});

describe("SGLang", () => {
  test("stops decoding while a prompt can be admitted", () => {
    const on = state({}, waiting(100));
    const scheduler = new PrefillFirst();
    step(scheduler, on);
    expect(step(scheduler, on).decodes).toHaveLength(1);
    on.waiting.push(waiting(100));
    const plan = step(scheduler, on);
    expect(plan.decodes).toHaveLength(0);
    expect(chunksOf(plan)).toEqual([100]);
  });

  test("finishes a long prompt in chunks before anybody decodes", () => {
    const on = state({ stepTokensMax: 1000 }, waiting(2500));
    const scheduler = new PrefillFirst();
    expect([0, 1, 2].map(() => chunksOf(step(scheduler, on)))).toEqual([[1000], [1000], [500]]);
  });

  test("takes a newcomer at its word and guesses at those inside", () => {
    // 64 blocks: 7 and 0.7 of 1,000 tokens for one inside, 4 and 200 whole tokens for a newcomer are too many …
    const on = state({ capacity: 1024 }, waiting(100, 1000));
    const scheduler = new PrefillFirst();
    step(scheduler, on);
    on.waiting.push(waiting(50, 200));
    expect(step(scheduler, on).chunks).toHaveLength(0);
    // … until the guess has fallen with the steps decoded.
    for (let count = 0; count < 200; count++) step(scheduler, on);
    expect(on.waiting).toHaveLength(0);
  });

  test("sends the least advanced back until the rest can decode on", () => {
    const [ahead, behind] = [waiting(60, 4000), waiting(60, 4000)];
    const on = state({ capacity: 160 }, ahead);
    const scheduler = new PrefillFirst();
    step(scheduler, on);
    on.waiting.push(behind);
    // Nobody is admitted beside such promises: put it there, as if the promise had been small.
    behind.allocation = on.cache.allocate([], 60);
    behind.computed = 60;
    behind.generated = 1;
    on.waiting.pop();
    on.running.push(behind);
    let preempted = 0;
    for (let count = 0; count < 30; count++) preempted += step(scheduler, on).preempted;
    expect(preempted).toBe(1);
    expect(on.running).toEqual([ahead]);
    expect(on.waiting).toEqual([behind]);
  });
});

describe("TensorRT-LLM", () => {
  test("takes whole prompts beside the decodes, and none that does not fit the step", () => {
    const on = state({ stepTokensMax: 1000 }, waiting(400), waiting(400), waiting(400));
    const scheduler = new NoEviction();
    expect(chunksOf(step(scheduler, on))).toEqual([400, 400]);
    const plan = step(scheduler, on);
    expect(plan.decodes).toHaveLength(2);
    expect(chunksOf(plan)).toEqual([400]);
  });

  test("lets a prompt longer than any step go alone", () => {
    const on = state({ stepTokensMax: 1000 }, waiting(5000), waiting(10));
    expect(chunksOf(step(new NoEviction(), on))).toEqual([5000]);
  });

  test("starts nobody whose whole answer has no room, and pauses nobody", () => {
    const on = state({ capacity: 320 }, waiting(50, 150), waiting(50, 150));
    const scheduler = new NoEviction();
    for (let count = 0; count < 120; count++) expect(step(scheduler, on).preempted).toBe(0);
    expect(on.running).toHaveLength(1);
    expect(on.waiting).toHaveLength(1);
  });
});

describe("llama.cpp", () => {
  test("gives each request a slot and fills the batch with prompt tokens after one of each answer", () => {
    const on = state(
      { sequencesMax: 2, stepTokensMax: 100 },
      waiting(50),
      waiting(80),
      waiting(10),
    );
    const scheduler = new Slots();
    expect(chunksOf(step(scheduler, on))).toEqual([50, 50]);
    const plan = step(scheduler, on);
    expect(plan.decodes).toHaveLength(1);
    expect(chunksOf(plan)).toEqual([30]);
    expect(on.waiting).toHaveLength(1);
  });
});
