import { MetricPage } from "../metric-page.ts";
import type { Page, Site } from "../persona.ts";

/** `/metrics` (vllm/v1/metrics/loggers.py). Gauges are of this moment: the engine core updates them with every output. */
export function metrics(site: Site): Page {
  const stats = site.stats();
  const page = new MetricPage("vllm:", { engine: "0", model_name: site.model });
  page
    .gauge("num_requests_running", "Number of requests in model execution batches.", stats.running)
    .gauge("num_requests_waiting", "Number of requests waiting to be processed.", stats.waiting)
    .family("num_requests_waiting_by_reason", "Number of requests waiting, by reason.", "gauge", [
      [{ reason: "capacity" }, stats.waiting],
      [{ reason: "deferred" }, 0],
    ])
    .family("engine_sleep_state", "Engine sleep state; awake = 0 means it sleeps.", "gauge", [
      [{ sleep_state: "awake" }, 1],
      [{ sleep_state: "weights_offloaded" }, 0],
      [{ sleep_state: "discard_all" }, 0],
    ])
    .gauge("kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.", stats.kvUsage);
  counters(page, site);
  drafts(page, site);
  histograms(page, site);
  page.gauge("cache_config_info", "Information of the LLMEngine CacheConfig.", 1, {
    block_size: site.blockTokens,
    cache_dtype: "auto",
    calculate_kv_scales: "False",
    cpu_offload_gb: 0,
    enable_prefix_caching: "True",
    gpu_memory_utilization: 0.92,
    is_attention_free: "False",
    num_cpu_blocks: "None",
    num_gpu_blocks: site.kvBlocks,
    num_gpu_blocks_override: "None",
    prefix_caching_hash_algo: "sha256",
    sliding_window: "None",
    swap_space: 4,
  });
  const own = page.page();
  return { ...own, body: own.body + httpPage(site) };
}

function histograms(page: MetricPage, { books }: Site): void {
  page
    .histogram("iteration_tokens_total", "Tokens per engine step.", books.stepTokens)
    .histogram("time_to_first_token_seconds", "Time to first token.", books.ttft)
    .histogram("inter_token_latency_seconds", "Time between outputs.", books.interToken)
    .histogram("request_time_per_output_token_seconds", "Mean time per output token.", books.tpot)
    .histogram("e2e_request_latency_seconds", "End to end request latency.", books.endToEnd)
    .histogram("request_queue_time_seconds", "Time spent in WAITING phase.", books.queue)
    .histogram("request_prefill_time_seconds", "Time spent in PREFILL phase.", books.prefill)
    .histogram("request_decode_time_seconds", "Time spent in DECODE phase.", books.decode)
    .histogram("request_inference_time_seconds", "Time spent in RUNNING phase.", books.inference)
    .histogram("request_prompt_tokens", "Number of prefill tokens processed.", books.promptTokens)
    .histogram(
      "request_prefill_kv_computed_tokens",
      "New KV tokens computed during prefill, cached ones left out.",
      books.computedTokens,
    )
    .histogram("request_generation_tokens", "Number of generation tokens.", books.outputTokens)
    .histogram(
      "request_max_num_generation_tokens",
      "Maximum number of requested generation tokens.",
      books.outputTokens,
    )
    .histogram("request_params_max_tokens", "The max_tokens request parameter.", books.tokensMax)
    .histogram("request_params_n", "The n request parameter.", books.choices);
}

/** Only with speculative decoding (vllm/v1/spec_decode/metrics.py). */
function drafts(page: MetricPage, site: Site): void {
  if (site.drafts === 0) return;
  const { draftedTokens, acceptedTokens } = site.stats();
  page
    .counter("spec_decode_num_drafts_total", "Number of drafts.", draftedTokens / site.drafts)
    .counter("spec_decode_num_draft_tokens_total", "Number of draft tokens.", draftedTokens)
    .counter("spec_decode_num_accepted_tokens_total", "Accepted tokens.", acceptedTokens);
}

function counters(page: MetricPage, site: Site): void {
  const stats = site.stats();
  const { departed } = site.books;
  page
    .counter("prefix_cache_queries_total", "Prefix cache queries, in tokens.", stats.queryTokens)
    .counter("prefix_cache_hits_total", "Prefix cache hits, in tokens.", stats.hitTokens)
    .counter("external_prefix_cache_queries_total", "KV connector queries, in tokens.", 0)
    .counter("external_prefix_cache_hits_total", "KV connector hits, in tokens.", 0)
    .counter("mm_cache_queries_total", "Multi-modal cache queries, in items.", 0)
    .counter("mm_cache_hits_total", "Multi-modal cache hits, in items.", 0)
    .counter("num_preemptions_total", "Cumulative number of preemptions.", stats.preemptions)
    .counter("prompt_tokens_total", "Number of prefill tokens processed.", stats.promptTokens)
    .family("prompt_tokens_by_source_total", "Number of prompt tokens by source.", "counter", [
      [{ source: "local_compute" }, stats.promptTokens - stats.cachedTokens],
      [{ source: "local_cache_hit" }, stats.cachedTokens],
      [{ source: "external_kv_transfer" }, 0],
    ])
    .counter("prompt_tokens_cached_total", "Number of cached prompt tokens.", stats.cachedTokens)
    .counter("generation_tokens_total", "Number of generation tokens.", stats.outputTokens)
    .family("request_success_total", "Count of successfully processed requests.", "counter", [
      [{ finished_reason: "stop" }, departed.stop + departed.tool_calls],
      [{ finished_reason: "length" }, departed.length],
      [{ finished_reason: "abort" }, departed.abort],
      [{ finished_reason: "error" }, departed.error],
      [{ finished_reason: "repetition" }, 0],
    ]);
}

/** What prometheus-fastapi-instrumentator adds; operators' own routes are left out. */
function httpPage(site: Site): string {
  const quiet = /^\/(metrics|health|load|ping|version|server_info)$/;
  const rows = [...site.books.http]
    .map(([key, count]) => ({ parts: key.split(" "), count }))
    .filter(({ parts: [path = ""] }) => !quiet.test(path))
    .map(({ parts: [handler = "", method = "", status = ""], count }) => {
      const group = `${status.slice(0, 1)}xx`;
      return [{ handler, method, status: group }, count] as const;
    });
  return new MetricPage("", {})
    .family(
      "http_requests_total",
      "Total number of requests by method, status and handler.",
      "counter",
      rows,
    )
    .page().body;
}
