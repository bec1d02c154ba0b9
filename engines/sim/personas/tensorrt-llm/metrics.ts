import { MetricPage } from "../metric-page.ts";
import type { Page, Site } from "../persona.ts";

/**
 * `/prometheus/metrics` (tensorrt_llm/metrics/collector.py). Gauges stand still until a request ends: the loop that reads
 * the iterations sleeps until then.
 */
export function metrics(site: Site): Page {
  const { books } = site;
  const live = site.stats();
  const seen = books.gauges.finish ?? { ...live, running: 0, waiting: 0, kvUsage: 0 };
  const used = Math.round(seen.kvUsage * site.kvBlocks);
  const reused = Math.round(live.hitTokens / site.blockTokens);
  const missed = Math.round((live.queryTokens - live.hitTokens) / site.blockTokens);
  const { streamed, whole } = books.atFinish;
  const page = new MetricPage("trtllm_", { engine_type: "pytorch", model_name: site.model })
    .family("request_success_total", "Count of successfully processed requests.", "counter", [
      [{ finished_reason: "stop" }, books.departed.stop + books.departed.tool_calls],
      [{ finished_reason: "length" }, books.departed.length],
    ])
    .histogram("time_to_first_token_seconds", "Time to first token.", books.ttft)
    .histogram("time_per_output_token_seconds", "Mean time per output token.", books.tpot)
    .histogram("e2e_request_latency_seconds", "End to end request latency.", books.endToEnd)
    .histogram("request_queue_time_seconds", "Time spent waiting.", books.queue)
    .histogram("request_prefill_time_seconds", "Time spent in prefill.", books.prefill)
    .histogram("request_decode_time_seconds", "Time spent in decode.", books.decode)
    .histogram("request_inference_time_seconds", "Time spent running.", books.inference)
    .counter("prompt_tokens_total", "Prompt tokens.", streamed.prompt + whole.prompt)
    .counter("generation_tokens_total", "Generation tokens.", streamed.output + whole.output)
    .counter(
      "num_requests_completed_total",
      "Requests completed.",
      streamed.requests + whole.requests,
    )
    .gauge("num_requests_running", "Active requests.", seen.running)
    .gauge("num_requests_waiting", "Queued requests.", seen.waiting)
    .gauge("max_num_active_requests", "Most active requests.", site.sequencesMax)
    .gauge("kv_cache_utilization", "KV cache utilization.", seen.kvUsage)
    .gauge("kv_cache_hit_rate", "KV cache hit rate.", reused / Math.max(1, reused + missed))
    .gauge("kv_cache_host_utilization", "KV cache utilization of host memory.", 0)
    .gauge("kv_cache_iter_reuse_rate", "Reuse rate of the last iteration.", 0)
    .gauge("kv_cache_max_blocks", "KV cache blocks.", site.kvBlocks)
    .gauge("kv_cache_free_blocks", "Free KV cache blocks.", site.kvBlocks - used)
    .gauge("kv_cache_used_blocks", "Used KV cache blocks.", used)
    .gauge("kv_cache_tokens_per_block", "Tokens per KV cache block.", site.blockTokens)
    .counter("kv_cache_reused_blocks_total", "KV cache blocks reused.", reused)
    .counter("kv_cache_missed_blocks_total", "KV cache blocks missed.", missed)
    .counter("kv_cache_onboard_bytes_total", "Bytes onboarded.", 0)
    .counter("kv_cache_offload_bytes_total", "Bytes offloaded.", 0)
    .counter("kv_cache_intra_device_copy_bytes_total", "Bytes copied in the device.", 0);
  iteration(page, site);
  drafts(page, site);
  configs(page, site);
  return page.page();
}

/** Of the last iteration. */
function iteration(page: MetricPage, site: Site): void {
  const last = site.books.lastStep;
  page
    .gauge("num_context_requests", "Requests in prefill.", last?.prompts ?? 0)
    .gauge("num_generation_requests", "Requests in decode.", last?.decodes ?? 0)
    .gauge("num_paused_requests", "Paused requests.", 0)
    .gauge(
      "num_scheduled_requests",
      "Scheduled requests.",
      (last?.prompts ?? 0) + (last?.decodes ?? 0),
    )
    .gauge("total_context_tokens", "Prompt tokens of the last iteration.", last?.prefillTokens ?? 0)
    .gauge("avg_decoded_tokens_per_iter", "Tokens decoded per iteration.", 1)
    .gauge(
      "iteration_latency_seconds",
      "Latency of the last iteration.",
      (last?.durationMs ?? 0) / 1000,
    )
    .gauge("gpu_memory_usage_bytes", "GPU memory in use.", Math.round(site.weightBytes))
    .gauge("max_batch_size_runtime", "Batch size at run time.", site.sequencesMax)
    .gauge("max_num_tokens_runtime", "Tokens per iteration at run time.", site.stepTokensMax);
}

function drafts(page: MetricPage, site: Site): void {
  if (site.drafts === 0) return;
  const { draftedTokens, acceptedTokens } = site.stats();
  const verified = draftedTokens / site.drafts;
  page
    .counter("spec_decode_num_draft_tokens_total", "Draft tokens.", draftedTokens)
    .counter("spec_decode_num_accepted_tokens_total", "Accepted tokens.", acceptedTokens)
    .gauge(
      "spec_decode_acceptance_length",
      "Tokens per step.",
      verified === 0 ? 0 : 1 + acceptedTokens / verified,
    )
    .gauge("spec_decode_draft_overhead", "Share of a step spent drafting.", 0);
}

function configs(page: MetricPage, site: Site): void {
  page
    .gauge("model_config_info", "Model configuration.", 1, {
      model: site.model,
      served_model_name: site.model,
      dtype: "auto",
      quantization: "None",
      max_model_len: site.contextTokens,
      gpu_type: site.gpu,
    })
    .gauge("parallel_config_info", "Parallel configuration.", 1, {
      tensor_parallel_size: site.tp,
      pipeline_parallel_size: 1,
      gpu_count: site.tp,
    })
    .gauge("speculative_config_info", "Speculative decoding configuration.", 1, {
      spec_enabled: site.drafts === 0 ? "False" : "True",
    })
    .gauge("kv_cache_config_info", "KV cache configuration.", 1, {
      page_size: site.blockTokens,
      enable_block_reuse: "True",
      free_gpu_memory_fraction: 0.9,
    });
}
