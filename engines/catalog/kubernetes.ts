import { stringify } from "yaml";
import { CONFIG_DIR, type Recipe } from "./recipe.ts";
import { squeeze } from "./nearest.ts";

/** Weights are downloaded, loaded and compiled before the first answer: an hour for the largest over a slow line. */
const START_LIMIT_S = 3_600;
const PROBE_PERIOD_S = 10;
/** SGLang's health route generates a token and takes a second at least. */
const PROBE_TIMEOUT_S = 5;
/** Three misses in a row take a pod out; a long prefill may cost one. */
const FAILURES_MAX = 3;
/** Running answers may finish this long after the pod is told to stop. */
const GRACE_S = 120;
/** Disk for a checkpoint, its download in progress and the compile caches, relative to the weights. */
const DISK_FACTOR = 1.5;
const NAME_CHARS_MAX = 40;

/** Deployment, service and volume as one YAML stream: probes, GPUs, shared memory, a kept weight cache. */
export function kubernetesForm(recipe: Recipe): string {
  const name = nameOf(recipe);
  const parts = [
    claim(recipe, name),
    config(recipe, name),
    deployment(recipe, name),
    service(recipe, name),
  ];
  return parts
    .filter((part) => part !== null)
    .map((part) => stringify(part, { lineWidth: 0, aliasDuplicateObjects: false }))
    .join("---\n");
}

/** A DNS label such as `vllm-llama-31-8b-instruct`. */
function nameOf({ engine, model }: Recipe): string {
  const short = model.id.slice(model.id.indexOf("/") + 1).toLowerCase();
  const label = `${squeeze(engine)}-${short.replaceAll(".", "").replaceAll(/[^a-z0-9]+/g, "-")}`;
  return label.slice(0, NAME_CHARS_MAX).replace(/-+$/, "");
}

function claim({ memory, tp }: Recipe, name: string): object {
  const gib = Math.ceil((memory.weightBytes * tp * DISK_FACTOR) / 2 ** 30 / 10) * 10;
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: `${name}-weights` },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: `${gib}Gi` } } },
  };
}

function config({ file }: Recipe, name: string): object | null {
  if (file === null) return null;
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: `${name}-config` },
    data: { [file.name]: file.content },
  };
}

function deployment(recipe: Recipe, name: string): object {
  const labels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, labels },
    spec: {
      replicas: 1,
      // Two generations of one engine do not fit on its cards together.
      strategy: { type: "Recreate" },
      selector: { matchLabels: labels },
      template: {
        metadata: { labels, annotations: scrape(recipe) },
        spec: {
          // Links would set VLLM_… variables, which vLLM reads as its own.
          enableServiceLinks: false,
          terminationGracePeriodSeconds: GRACE_S,
          nodeSelector: { "nvidia.com/gpu.product": recipe.gpu.product.replaceAll(" ", "-") },
          containers: [container(recipe)],
          volumes: volumes(recipe, name),
        },
      },
    },
  };
}

function container(recipe: Recipe): object {
  const { image, port, entry, containerArgs, containerEnv, tp, file, cacheDir } = recipe;
  const probe = (path: string): object => ({
    httpGet: { path, port: "http" },
    timeoutSeconds: PROBE_TIMEOUT_S,
    periodSeconds: PROBE_PERIOD_S,
    failureThreshold: FAILURES_MAX,
  });
  const mounts = [
    { name: "weights", mountPath: cacheDir },
    { name: "shared-memory", mountPath: "/dev/shm" },
    ...(file === null ? [] : [{ name: "config", mountPath: CONFIG_DIR, readOnly: true }]),
  ];
  return {
    name: "engine",
    image,
    ...(entry.length > 0 ? { command: entry } : {}),
    args: containerArgs,
    ports: [{ name: "http", containerPort: port }],
    env: [
      {
        name: "HF_TOKEN",
        valueFrom: { secretKeyRef: { name: "hf-token", key: "token", optional: true } },
      },
      ...Object.entries(containerEnv).map(([key, value]) => ({ name: key, value })),
    ],
    resources: { limits: { "nvidia.com/gpu": String(tp) } },
    startupProbe: {
      ...probe(recipe.healthPath),
      failureThreshold: START_LIMIT_S / PROBE_PERIOD_S,
    },
    readinessProbe: probe(recipe.healthPath),
    livenessProbe: probe(recipe.livePath),
    volumeMounts: mounts,
  };
}

function volumes({ file }: Recipe, name: string): object[] {
  return [
    { name: "weights", persistentVolumeClaim: { claimName: `${name}-weights` } },
    { name: "shared-memory", emptyDir: { medium: "Memory", sizeLimit: "16Gi" } },
    ...(file === null ? [] : [{ name: "config", configMap: { name: `${name}-config` } }]),
  ];
}

function scrape({ port, metricsPath }: Recipe): object {
  return {
    "prometheus.io/scrape": "true",
    "prometheus.io/port": String(port),
    "prometheus.io/path": metricsPath,
  };
}

function service({ port }: Recipe, name: string): object {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name },
    spec: { selector: { app: name }, ports: [{ name: "http", port, targetPort: "http" }] },
  };
}
