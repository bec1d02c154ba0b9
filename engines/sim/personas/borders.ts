/** vLLM's borders, seconds, which TensorRT-LLM shares (vllm/v1/metrics/loggers.py). */
export const TTFT_BORDERS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
  160, 640, 2560,
];
export const TOKEN_BORDERS = [
  0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
];
export const REQUEST_BORDERS = [
  0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
];

/** Lengths as vLLM counts them: 1, 2, 5, 10 … up to the longest the model takes. */
export function lengthBorders(contextTokens: number): readonly number[] {
  const borders: number[] = [];
  for (let decade = 1; ; decade *= 10)
    for (const step of [1, 2, 5]) {
      if (step * decade > contextTokens) return borders;
      borders.push(step * decade);
    }
}
