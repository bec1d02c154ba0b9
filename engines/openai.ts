import { readAnswerDelta, readEventDelta } from "./delta.ts";
import type { Engine } from "./engine.ts";
import { modelList, versionOf } from "./recognition.ts";

/** Anything that speaks the OpenAI API and is none of the others: nothing is assumed beyond the API itself. */
export const openai: Engine = {
  name: "openai",
  recognise(probe) {
    const { models, ownedBy } = modelList(probe);
    const because =
      ownedBy.length > 0
        ? `/v1/models says owned_by "${ownedBy[0]}", which is no engine known by name`
        : "nothing it answered names an engine";
    return { engine: "openai", confidence: 0.1, version: versionOf(probe), models, because };
  },
  stats: { paths: [], read: () => null },
  readDelta: readEventDelta,
  readAnswer: readAnswerDelta,
  forceLength: (body, tokens) => ({ ...body, max_tokens: tokens }),
  paths: { health: "/v1/models", tokenize: null, control: [] },
};
