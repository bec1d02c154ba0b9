import { readAnswerDelta, readEventDelta } from "./delta.ts";
import type { Engine, ProbeAnswers } from "./engine.ts";
import { withLength } from "./forced-length.ts";
import { MESSAGES_ROUTES, OPENAI_ROUTES } from "./inference-routes.ts";
import { jsonOf, MODELS_PATH, modelList, versionOf } from "./recognition.ts";

/**
 * Servers without a dialect of their own, by the owner they write into their model list. None needs more than the API
 * itself; the name is for people.
 */
const PRODUCTS: Readonly<Record<string, string>> = {
  // lmdeploy/serve/openai/protocol.py ModelCard
  lmdeploy: "LMDeploy",
  // python/mlc_llm/protocol/openai_api_protocol.py ModelResponse
  "MLC-LLM": "MLC LLM",
  // ollama/openai/openai.go: the namespace of the model's name
  library: "Ollama",
  organization_owner: "LM Studio",
  // lib/llm/src/http/service/openai.rs
  nvidia: "NVIDIA Dynamo or NIM",
  openai: "OpenAI or a gateway (LiteLLM writes the same)",
  system: "OpenAI or NVIDIA NIM",
  "openai-internal": "OpenAI",
  pitot: "another Pitot",
};

/** Anything that speaks the OpenAI API and is none of the others: nothing is assumed beyond the API itself. */
export const openai: Engine = {
  name: "openai",
  // Asked of whoever is not named by its model list: what each of the others answers by itself, or TGI or Ollama do.
  probes: ["/version", "/props", "/server_info", "/info"],
  recognise(probe) {
    const { models, ownedBy } = modelList(probe);
    const info = jsonOf(probe.get("/info"));
    const isTgi = info?.["model_id"] !== undefined && info["max_concurrent_requests"] !== undefined;
    const version = isTgi ? versionOf(probe, "/info") : versionOf(probe, "/version");
    const because = isTgi
      ? "/info is text-generation-inference's"
      : (ownerWords(ownedBy) ?? silenceWords(probe));
    const settled = probe.get(MODELS_PATH)?.status === 200 || isTgi;
    return {
      engine: "openai",
      confidence: isTgi ? 0.9 : 0.1,
      version,
      models,
      because,
      direct: false,
      settled,
    };
  },
  stats: { paths: [], read: () => null },
  readDelta: readEventDelta,
  readAnswer: readAnswerDelta,
  forceLength: (body, tokens) => withLength(body, { max_tokens: tokens }),
  tokenizer: null,
  promptOfTokens: null,
  abort: {
    streamedMs: null,
    wholeMs: null,
    survivesWith: [],
    note: "Nothing is known of what it does when a client leaves: it may generate to the end.",
  },
  // A server nobody knows may refuse what it was not sent.
  usageWhen: "unasked",
  paths: {
    health: MODELS_PATH,
    inference: { ...OPENAI_ROUTES, ...MESSAGES_ROUTES },
    control: [],
  },
};

function ownerWords(ownedBy: readonly string[]): string | null {
  const [owner] = ownedBy;
  if (owner === undefined) return null;
  const product = Object.hasOwn(PRODUCTS, owner) ? PRODUCTS[owner] : undefined;
  return product === undefined
    ? `/v1/models says owned_by "${owner}", which is no engine known by name`
    : `/v1/models says owned_by "${owner}": ${product}`;
}

/** Why nothing could be told: the reader can act on each of these. */
function silenceWords(probe: ProbeAnswers): string {
  const answer = probe.get(MODELS_PATH);
  const status = answer?.status ?? 0;
  if (status === 0) return `it could not be reached (${answer?.body ?? "not asked"})`;
  if (status === 401 || status === 403) return `/v1/models answers ${status}: it wants an API key`;
  if (status === 503) return "/v1/models answers 503: it is still starting, or overloaded";
  return status === 200
    ? "/v1/models names no owner"
    : `/v1/models answers ${status}, and nothing else names an engine`;
}
