import { z } from "zod";
import { engines } from "../../../engines/index.ts";
import { originOf } from "../../upstream/replica-set.ts";
import { names } from "./measures.ts";

/** Replicas in one file at most, as in one proxy. */
const REPLICAS_MAX = 1024;

const replica = z.strictObject({
  url: z
    .string()
    .min(1)
    .max(2048)
    .superRefine((text, context) => {
      try {
        originOf(text);
      } catch (error) {
        context.addIssue({ code: "custom", message: (error as Error).message });
      }
    })
    .describe("Origin of the engine: http://host:port."),
  name: z
    .string()
    .regex(/^[\w.-]{1,64}$/, "may hold letters, digits, dots, dashes and underscores, 64 at most")
    .optional()
    .describe("What it is called on the board and in headers; host:port unless given."),
  engine: z
    .enum(Object.keys(engines) as [keyof typeof engines, ...(keyof typeof engines)[]])
    .optional()
    .describe("Its dialect; recognised by itself unless given."),
  model: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe("The model it serves; asked of it unless given."),
  weight: z
    .number()
    .positive()
    .max(1000)
    .optional()
    .describe("Share of the traffic; 1 unless given."),
  labels: names.optional().describe("Free labels shown on the board."),
  headers: names
    .optional()
    .describe("Sent to this replica alone; values may be env:NAME or file:PATH."),
  apiKey: z
    .string()
    .min(1)
    .optional()
    .describe("Sent as `Authorization: Bearer …` to this replica alone; env:NAME or file:PATH."),
  tls: z
    .strictObject({
      ca: z.string().optional().describe("Path of a PEM file with the authority that signed it."),
      insecure: z.boolean().optional().describe("Takes any certificate: for a test bench only."),
      serverName: z
        .string()
        .optional()
        .describe("Name on the certificate, where not the URL's host."),
      cert: z
        .string()
        .optional()
        .describe("Path of our own certificate, for engines that ask for one."),
      key: z.string().optional().describe("Path of its key."),
    })
    .optional(),
});

/** `replicas`: the engines, each a URL, `name=URL`, or a mapping. */
export const replicas = z
  .array(
    z.union([
      z
        .string()
        .min(1)
        .transform((text): z.input<typeof replica> => nameAndUrl(text))
        .pipe(replica),
      replica,
    ]),
  )
  .max(REPLICAS_MAX)
  .superRefine((replicas, context) => {
    for (const [index, { url, name }] of replicas.entries()) {
      const earlier = replicas.slice(0, index);
      if (earlier.some((other) => originOf(other.url) === originOf(url)))
        context.addIssue({
          code: "custom",
          path: [index, "url"],
          message: "it is there twice: leave one out",
        });
      if (name !== undefined && earlier.some((other) => other.name === name))
        context.addIssue({
          code: "custom",
          path: [index, "name"],
          message: "it is taken: choose another",
        });
    }
  })
  .default([])
  .describe("The engines: a URL, name=URL, or a mapping.");

function nameAndUrl(text: string): { url: string; name?: string } {
  const [, name, url] = /^([\w.-]+)=(.+)$/.exec(text) ?? [];
  return name === undefined || url === undefined ? { url: text } : { name, url };
}
