import type { JsonObject } from "../../../engine.ts";
import { jsonPage, textPage } from "../frame.ts";
import type { Page, PageHandler, Site } from "../persona.ts";
import { metrics } from "./metrics.ts";

const VERSION = "1.3.0rc29";

/** Routes of the generating role (tensorrt_llm/serve/openai_server.py, `register_routes`). */
export function pages(site: Site): Readonly<Record<string, PageHandler>> {
  return {
    "GET /v1/models": () =>
      jsonPage({
        object: "list",
        data: [
          { id: site.model, object: "model", created: site.nowSeconds(), owned_by: "tensorrt_llm" },
        ],
      }),
    "GET /version": () => jsonPage({ version: VERSION }),
    "GET /health": () => textPage(""),
    "GET /health_generate": async () =>
      (await site.probe(60_000)) ? textPage("Generation health check OK") : jsonPage({}, 500),
    "GET /server_info": () =>
      jsonPage({
        disaggregated_params: null,
        max_batch_size: site.sequencesMax,
        tokens_per_block: site.blockTokens,
        kv_cache_hash_algo: "v1",
      }),
    "GET /metrics": () => iterations(site),
    "GET /perf_metrics": () => jsonPage([]),
    "GET /energy_metrics": () => jsonPage({}),
    "GET /steady_clock_offset": () => jsonPage({ steady_clock_offset: 0 }),
    "POST /kv_cache_events": () => jsonPage([]),
    "GET /prometheus/metrics": () => metrics(site),
    "POST /_internal/tokenize": ({ body }) => {
      const text = typeof body["prompt"] === "string" ? body["prompt"] : "";
      const { ids } = site.vocabulary.tokenize(text);
      return jsonPage({ count: ids.length, tokens: ids });
    },
  };
}

/** JSON, not Prometheus: every iteration since the last call, which takes them away from whoever asks next. */
function iterations(site: Site): Page {
  const stats = site.stats();
  const used = Math.round(stats.kvUsage * site.kvBlocks);
  const reused = Math.round(stats.hitTokens / site.blockTokens);
  const missed = Math.round((stats.queryTokens - stats.hitTokens) / site.blockTokens);
  const rows = site.books.steps.splice(0).map(({ iteration, report }): JsonObject => {
    const scheduled = report.prompts + report.decodes;
    return {
      iter: iteration,
      iterLatencyMS: report.durationMs,
      numActiveRequests: scheduled,
      numQueuedRequests: stats.waiting,
      numCompletedRequests: 0,
      maxNumActiveRequests: site.sequencesMax,
      gpuMemUsage: Math.round(site.weightBytes),
      cpuMemUsage: 0,
      pinnedMemUsage: 0,
      maxBatchSizeStatic: site.sequencesMax,
      maxBatchSizeRuntime: site.sequencesMax,
      maxNumTokensRuntime: site.stepTokensMax,
      kvCacheStats: {
        maxNumBlocks: site.kvBlocks,
        usedNumBlocks: used,
        freeNumBlocks: site.kvBlocks - used,
        tokensPerBlock: site.blockTokens,
        reusedBlocks: reused,
        missedBlocks: missed,
        cacheHitRate: reused / Math.max(1, reused + missed),
      },
      inflightBatchingStats: {
        numContextRequests: report.prompts,
        numGenRequests: report.decodes,
        numPausedRequests: 0,
        numScheduledRequests: scheduled,
        numCtxTokens: report.prefillTokens,
        avgNumDecodedTokensPerIter: 1,
      },
    };
  });
  return jsonPage(rows);
}
