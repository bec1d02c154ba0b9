import { MetricPage } from "../metric-page.ts";
import type { Page, Site } from "../persona.ts";

/**
 * `/metrics` (python/sglang/srt/observability/metrics_collector.py). Scheduler gauges are as of the last prefill or the
 * last forty decode steps; token counters move when a request ends, except `realtime_tokens_total`.
 */
export function metrics(site: Site): Page {
  const { books } = site;
  const shared = { engine_type: "unified", model_name: site.model };
  const page = new MetricPage("sglang:", { ...shared, moe_ep_rank: 0, pp_rank: 0, tp_rank: 0 });
  scheduler(page, site);
  drafts(page, site);
  const own = page.page();
  const tokenizer = new MetricPage("sglang:", shared);
  const kinds = [
    [{ is_streaming: "True" }, books.atFinish.streamed],
    [{ is_streaming: "False" }, books.atFinish.whole],
  ] as const;
  tokenizer
    .family(
      "prompt_tokens_total",
      "Number of prefill tokens processed.",
      "counter",
      kinds.map(([labels, sums]) => [labels, sums.prompt]),
    )
    .family(
      "generation_tokens_total",
      "Number of generation tokens processed.",
      "counter",
      kinds.map(([labels, sums]) => [labels, sums.output]),
    )
    .family(
      "num_requests_total",
      "Number of requests processed.",
      "counter",
      kinds.map(([labels, sums]) => [labels, sums.requests]),
    )
    .counter(
      "cached_tokens_total",
      "Number of cached prompt tokens.",
      books.atFinish.streamed.cached + books.atFinish.whole.cached,
      { cache_source: "device" },
    )
    .counter("num_aborted_requests_total", "Number of requests aborted.", books.departed.abort)
    .histogram("time_to_first_token_seconds", "Time to first token.", books.ttft, {
      is_streaming: "True",
    })
    .histogram("inter_token_latency_seconds", "Inter-token latency.", books.interToken)
    .histogram("e2e_request_latency_seconds", "End-to-end request latency.", books.endToEnd, {
      is_streaming: "True",
    })
    .histogram("prompt_tokens_histogram", "Prompt token length.", books.promptTokens)
    .histogram(
      "uncached_prompt_tokens_histogram",
      "Prompt tokens not found in the cache.",
      books.computedTokens,
    )
    .histogram("generation_tokens_histogram", "Generation token length.", books.outputTokens);
  http(tokenizer, site);
  return { ...own, body: own.body + tokenizer.page().body };
}

function scheduler(page: MetricPage, site: Site): void {
  const { books } = site;
  const live = site.stats();
  const idle = live.running + live.waiting === 0;
  const seen = idle ? live : (books.gauges.fortyDecodes ?? live);
  const capacity = site.kvBlocks * site.blockTokens;
  const used = Math.round(seen.kvUsage * capacity);
  page
    .gauge("num_running_reqs", "The number of running requests.", seen.running)
    .gauge("num_queue_reqs", "The number of requests in the waiting queue.", seen.waiting)
    .gauge("num_grammar_queue_reqs", "The number of requests in the grammar queue.", 0)
    .gauge("num_used_tokens", "The number of used tokens.", used)
    .gauge("token_usage", "The token usage.", seen.kvUsage)
    .gauge("full_token_usage", "The token usage of the full-attention pool.", seen.kvUsage)
    .gauge("kv_used_tokens", "KV tokens in use.", used)
    .gauge("kv_available_tokens", "KV tokens free.", capacity - used)
    .gauge("kv_evictable_tokens", "KV tokens that can be evicted.", 0)
    .gauge("max_total_num_tokens", "The KV capacity in tokens.", capacity)
    .gauge("gen_throughput", "The generation throughput (token/s).", books.throughput)
    // Every decode report sets it to 0, as the source does.
    .gauge("cache_hit_rate", "The prefix cache hit rate.", 0)
    .gauge("utilization", "The utilization.", 0)
    .gauge("new_token_ratio", "The new token ratio.", 0.098)
    .gauge("is_cuda_graph", "Whether the batch is using CUDA graph.", seen.running > 0 ? 1 : 0)
    .gauge("fwd_occupancy", "Forward occupancy.", 0)
    .gauge("num_retracted_reqs", "The number of retracted requests.", 0)
    .counter("num_retracted_requests_total", "Requests retracted.", live.preemptions)
    .gauge("num_paused_reqs", "The number of paused requests.", 0)
    .family("prefill_effective_tokens_total", "Prompt tokens by where they came from.", "counter", [
      [{ mode: "input" }, live.queryTokens - live.hitTokens],
      [{ mode: "device_hit" }, live.hitTokens],
      [{ mode: "host_hit" }, 0],
      [{ mode: "storage_hit" }, 0],
    ])
    .family("realtime_tokens_total", "Tokens as they are processed.", "counter", [
      [{ mode: "prefill_compute" }, books.prefillTokens],
      [{ mode: "prefill_cache" }, live.hitTokens],
      [{ mode: "decode" }, books.decodeTokens],
    ])
    .histogram("queue_time_seconds", "Queueing time.", books.queue)
    .histogram("per_stage_req_latency_seconds", "Latency of each stage.", books.prefill, {
      stage: "prefill_forward",
    })
    .gauge("context_len", "Context length.", site.contextTokens)
    .gauge("page_size", "Page size.", 1)
    .gauge("num_pages", "Pages.", capacity)
    .gauge("weight_memory_usage_gb", "Weight memory.", site.weightBytes / 1e9);
}

function drafts(page: MetricPage, site: Site): void {
  if (site.drafts === 0) return;
  const { draftedTokens, acceptedTokens } = site.stats();
  const verified = draftedTokens / site.drafts;
  const accepted = verified === 0 ? 0 : acceptedTokens / verified;
  page
    .gauge("spec_accept_length", "Tokens accepted per verification.", 1 + accepted)
    .gauge("spec_accept_rate", "Share of drafts accepted.", accepted / site.drafts)
    .counter("spec_verify_calls_total", "Verifications.", verified);
}

function http(page: MetricPage, site: Site): void {
  const rows = [...site.books.http].map(([key, count]) => {
    const [endpoint = "", method = "", status_code = ""] = key.split(" ");
    return { endpoint, method, status_code, count };
  });
  const requests = new Map<string, number>();
  for (const { endpoint, method, count } of rows)
    requests.set(`${endpoint} ${method}`, (requests.get(`${endpoint} ${method}`) ?? 0) + count);
  page
    .family(
      "http_requests_total",
      "Total number of HTTP requests.",
      "counter",
      [...requests].map(([key, count]) => {
        const [endpoint = "", method = ""] = key.split(" ");
        return [{ endpoint, method }, count];
      }),
    )
    .family(
      "http_responses_total",
      "Total number of HTTP responses.",
      "counter",
      rows.map(({ endpoint, status_code, method, count }) => [
        { endpoint, status_code, method },
        count,
      ]),
    )
    .gauge("http_requests_active", "Active HTTP requests.", site.books.httpActive);
}
