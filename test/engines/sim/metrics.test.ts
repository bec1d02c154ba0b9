import { describe, expect, test } from "vitest";
import { readExposition } from "../../../engines/exposition.ts";
import type { SimulatedEngine } from "../../../engines/sim/server.ts";
import { until } from "../../harness/fleet.ts";
import { ask, CHAT, chat, type PersonaName, TEXT, withEngine } from "../../harness/simulated.ts";

const PAGE = {
  vllm: "/metrics",
  sglang: "/metrics",
  "tensorrt-llm": "/prometheus/metrics",
  "llama.cpp": "/metrics",
} as const;
const PREFIX = {
  vllm: "vllm:",
  sglang: "sglang:",
  "tensorrt-llm": "trtllm_",
  "llama.cpp": "llamacpp:",
} as const;

/** Families by type as the engines' sources have them: vllm/v1/metrics/loggers.py, sglang/srt/observability/metrics_collector.py, tensorrt_llm/metrics/collector.py, llama.cpp tools/server/server-task.cpp. */
const FAMILIES: Readonly<
  Record<PersonaName, Readonly<Record<"gauge" | "counter" | "histogram", string>>>
> = {
  vllm: {
    gauge:
      "num_requests_running num_requests_waiting num_requests_waiting_by_reason kv_cache_usage_perc engine_sleep_state cache_config_info",
    counter:
      "prefix_cache_queries_total prefix_cache_hits_total external_prefix_cache_queries_total external_prefix_cache_hits_total mm_cache_queries_total mm_cache_hits_total num_preemptions_total prompt_tokens_total prompt_tokens_by_source_total prompt_tokens_cached_total generation_tokens_total request_success_total",
    histogram:
      "iteration_tokens_total time_to_first_token_seconds inter_token_latency_seconds request_time_per_output_token_seconds e2e_request_latency_seconds request_queue_time_seconds request_prefill_time_seconds request_decode_time_seconds request_inference_time_seconds request_prompt_tokens request_generation_tokens request_max_num_generation_tokens request_params_max_tokens request_prefill_kv_computed_tokens request_params_n",
  },
  sglang: {
    gauge:
      "num_running_reqs num_queue_reqs num_grammar_queue_reqs token_usage full_token_usage num_used_tokens kv_used_tokens kv_available_tokens kv_evictable_tokens max_total_num_tokens gen_throughput cache_hit_rate num_retracted_reqs num_paused_reqs utilization fwd_occupancy new_token_ratio is_cuda_graph context_len page_size num_pages weight_memory_usage_gb http_requests_active",
    counter:
      "prefill_effective_tokens_total realtime_tokens_total prompt_tokens_total generation_tokens_total num_requests_total cached_tokens_total num_aborted_requests_total num_retracted_requests_total http_requests_total http_responses_total",
    histogram:
      "time_to_first_token_seconds inter_token_latency_seconds e2e_request_latency_seconds queue_time_seconds per_stage_req_latency_seconds prompt_tokens_histogram uncached_prompt_tokens_histogram generation_tokens_histogram",
  },
  "tensorrt-llm": {
    gauge:
      "num_requests_running num_requests_waiting max_num_active_requests kv_cache_utilization kv_cache_hit_rate kv_cache_host_utilization kv_cache_iter_reuse_rate kv_cache_max_blocks kv_cache_free_blocks kv_cache_used_blocks kv_cache_tokens_per_block num_context_requests num_generation_requests num_paused_requests num_scheduled_requests total_context_tokens avg_decoded_tokens_per_iter iteration_latency_seconds gpu_memory_usage_bytes max_batch_size_runtime max_num_tokens_runtime model_config_info parallel_config_info speculative_config_info kv_cache_config_info",
    counter:
      "request_success_total prompt_tokens_total generation_tokens_total num_requests_completed_total kv_cache_reused_blocks_total kv_cache_missed_blocks_total kv_cache_onboard_bytes_total kv_cache_offload_bytes_total kv_cache_intra_device_copy_bytes_total",
    histogram:
      "time_to_first_token_seconds time_per_output_token_seconds e2e_request_latency_seconds request_queue_time_seconds request_prefill_time_seconds request_decode_time_seconds request_inference_time_seconds",
  },
  "llama.cpp": {
    gauge:
      "n_busy_slots_per_decode prompt_tokens_seconds predicted_tokens_seconds requests_processing requests_deferred",
    counter:
      "prompt_tokens_total prompt_tokens_cached_total prompt_seconds_total tokens_predicted_total tokens_predicted_seconds_total n_decode_total n_tokens_max spec_decode_num_drafts_total spec_decode_num_draft_tokens_total spec_decode_num_accepted_tokens_total",
    histogram: "",
  },
};

/** Borders some family must have, as text. */
const BORDERS = {
  vllm: {
    time_to_first_token_seconds:
      "0.001 0.005 0.01 0.02 0.04 0.06 0.08 0.1 0.25 0.5 0.75 1.0 2.5 5.0 7.5 10.0 20.0 40.0 80.0 160.0 640.0 2560.0 +Inf",
    inter_token_latency_seconds:
      "0.01 0.025 0.05 0.075 0.1 0.15 0.2 0.3 0.4 0.5 0.75 1.0 2.5 5.0 7.5 10.0 20.0 40.0 80.0 +Inf",
    e2e_request_latency_seconds:
      "0.3 0.5 0.8 1.0 1.5 2.0 2.5 5.0 10.0 15.0 20.0 30.0 40.0 50.0 60.0 120.0 240.0 480.0 960.0 1920.0 7680.0 +Inf",
    iteration_tokens_total:
      "1.0 8.0 16.0 32.0 64.0 128.0 256.0 512.0 1024.0 2048.0 4096.0 8192.0 16384.0 +Inf",
    request_params_n: "1.0 2.0 5.0 10.0 20.0 +Inf",
  },
  sglang: {
    time_to_first_token_seconds:
      "0.1 0.2 0.4 0.6 0.8 1.0 2.0 4.0 6.0 8.0 10.0 20.0 40.0 60.0 80.0 100.0 200.0 400.0 +Inf",
    inter_token_latency_seconds:
      "0.002 0.004 0.006 0.008 0.01 0.015 0.02 0.025 0.03 0.035 0.04 0.06 0.08 0.1 0.2 0.4 0.6 0.8 1.0 2.0 4.0 6.0 8.0 +Inf",
  },
  "tensorrt-llm": {
    request_prefill_time_seconds:
      "0.001 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1.0 2.5 5.0 10.0 20.0 40.0 80.0 160.0 640.0 2560.0 +Inf",
  },
  "llama.cpp": {},
} as const;

async function page(engine: SimulatedEngine, persona: PersonaName): Promise<string> {
  return (await ask(engine, PAGE[persona])).text;
}
async function value(
  engine: SimulatedEngine,
  persona: PersonaName,
  name: string,
  labels: object = {},
): Promise<number> {
  return readExposition(await page(engine, persona))
    .filter((sample) => sample.name === PREFIX[persona] + name)
    .filter((sample) =>
      Object.entries(labels).every(([label, wanted]) => sample.labels[label] === wanted),
    )
    .reduce((sum, sample) => sum + sample.value, 0);
}

describe.each(Object.keys(PAGE) as PersonaName[])("the metrics of %s", (persona) => {
  test("are all there, each of its type, described, with the engine's labels", async () => {
    await withEngine(persona, {}, async (engine) => {
      await ask(engine, CHAT, chat(3));
      const text = await page(engine, persona);
      for (const [type, names] of Object.entries(FAMILIES[persona])) {
        for (const name of names.split(" ").filter((one) => one !== "")) {
          expect(text).toContain(`# TYPE ${PREFIX[persona]}${name} ${type}\n`);
          expect(text).toContain(`# HELP ${PREFIX[persona]}${name} `);
        }
      }
      const types = text.match(/^# TYPE .*$/gm) ?? [];
      expect(new Set(types).size).toBe(types.length);
    });
  });

  test("have the engine's bucket borders, cumulative to their count", async () => {
    await withEngine(persona, {}, async (engine) => {
      await ask(engine, CHAT, chat(9));
      const samples = readExposition(await page(engine, persona));
      for (const [name, borders] of Object.entries(BORDERS[persona])) {
        const buckets = samples.filter(
          (sample) => sample.name === `${PREFIX[persona]}${name}_bucket`,
        );
        expect(buckets.map((bucket) => bucket.labels["le"]).join(" ")).toBe(borders);
        const counts = buckets.map((bucket) => bucket.value);
        expect(counts).toEqual(counts.toSorted((a, b) => a - b));
        const count = samples.find((sample) => sample.name === `${PREFIX[persona]}${name}_count`);
        expect(counts.at(-1)).toBe(count?.value);
      }
    });
  });
});

describe("figures follow the work", () => {
  test("vLLM counts every end by its reason, tokens as they come, and its queue and prefill apart", async () => {
    await withEngine("vllm", { speed: 20 }, async (engine) => {
      await ask(engine, CHAT, chat(10));
      await ask(engine, CHAT, {
        ...chat(4000),
        ignore_eos: false,
        messages: [{ role: "user", content: "" }],
      });
      const left = new AbortController();
      const headers = { "content-type": "application/json" };
      await fetch(engine.url + CHAT, {
        method: "POST",
        headers,
        body: JSON.stringify(chat(5000)),
        signal: left.signal,
      });
      await until(
        async () => (await value(engine, "vllm", "num_requests_running")) === 1,
        "one runs",
      );
      await until(
        async () => (await value(engine, "vllm", "generation_tokens_total")) > 20,
        "tokens are counted live",
      );
      left.abort();
      await until(
        async () =>
          (await value(engine, "vllm", "request_success_total", { finished_reason: "abort" })) ===
          1,
        "the abort is counted",
      );
      expect(
        await value(engine, "vllm", "request_success_total", { finished_reason: "length" }),
      ).toBe(1);
      expect(
        await value(engine, "vllm", "request_success_total", { finished_reason: "stop" }),
      ).toBe(1);
      expect(
        await value(engine, "vllm", "request_prefill_time_seconds_count"),
      ).toBeGreaterThanOrEqual(2);
      expect(await value(engine, "vllm", "time_to_first_token_seconds_count")).toBe(3);
      const blocks = readExposition(await page(engine, "vllm")).find(
        (one) => one.name === "vllm:cache_config_info",
      );
      expect(Number(blocks?.labels["num_gpu_blocks"])).toBeGreaterThan(1000);
    });
  });

  test("SGLang counts a request's tokens when it ends, and decoded tokens as they come", async () => {
    await withEngine("sglang", { speed: 10 }, async (engine) => {
      const answer = ask(engine, CHAT, chat(400));
      await until(
        async () =>
          (await value(engine, "sglang", "realtime_tokens_total", { mode: "decode" })) > 50,
        "decoding shows",
      );
      expect(await value(engine, "sglang", "generation_tokens_total")).toBe(0);
      await answer;
      expect(
        await value(engine, "sglang", "generation_tokens_total", { is_streaming: "True" }),
      ).toBe(400);
      expect(await value(engine, "sglang", "gen_throughput")).toBeGreaterThan(0);
    });
  });

  test("TensorRT-LLM's gauges stand still until a request ends", async () => {
    await withEngine("tensorrt-llm", { speed: 5 }, async (engine) => {
      const long = ask(engine, CHAT, chat(300));
      await until(() => engine.stats().running === 1, "it runs");
      expect(await value(engine, "tensorrt-llm", "num_requests_running")).toBe(0);
      await ask(engine, CHAT, chat(1));
      expect(await value(engine, "tensorrt-llm", "num_requests_running")).toBe(1);
      await long;
    });
  });

  test("llama.cpp's windows start anew with every read, and prompts found in the cache are counted apart", async () => {
    await withEngine("llama.cpp", {}, async (engine) => {
      const prompt = Array.from({ length: 200 }, (_, index) => index);
      const body = { prompt, max_tokens: 4, ignore_eos: true };
      await ask(engine, TEXT, body);
      await ask(engine, TEXT, body);
      expect(await value(engine, "llama.cpp", "predicted_tokens_seconds")).toBeGreaterThan(0);
      expect(await value(engine, "llama.cpp", "predicted_tokens_seconds")).toBe(0);
      const cached = await value(engine, "llama.cpp", "prompt_tokens_cached_total");
      expect(cached).toBeGreaterThan(100);
      expect(cached + (await value(engine, "llama.cpp", "prompt_tokens_total"))).toBe(400);
      const answer = await ask(engine, "/metrics");
      expect(Number(answer.headers.get("process-start-time-unix"))).toBeGreaterThan(1e9);
    });
  });

  test("llama.cpp's slots tell what each is at", async () => {
    await withEngine("llama.cpp", { speed: 5 }, async (engine) => {
      const long = ask(engine, CHAT, chat(300));
      await until(() => engine.stats().outputTokens > 3, "it decodes");
      const slots = JSON.parse((await ask(engine, "/slots")).text) as {
        is_processing: boolean;
        next_token?: { n_decoded: number }[];
      }[];
      expect(slots.map((slot) => slot.is_processing)).toEqual([true, false, false, false]);
      expect(slots[0]?.next_token?.[0]?.n_decoded).toBeGreaterThan(2);
      await long;
    });
  });

  test("SGLang's loads give sections as asked, and Prometheus gauges with an underscore", async () => {
    await withEngine("sglang", {}, async (engine) => {
      const all = await ask(engine, "/v1/loads?include=all");
      expect(all.text).toContain('"token_capacity"');
      expect((await ask(engine, "/v1/loads?include=core")).text).not.toContain('"memory"');
      expect((await ask(engine, "/v1/loads?format=prometheus")).text).toContain(
        'sglang_num_running_reqs{dp_rank="0"} 0',
      );
      expect((await ask(engine, "/get_load")).text).toContain('"num_waiting_reqs":0');
    });
  });
});
