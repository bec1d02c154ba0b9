import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { report } from "../../../proxy/doctor/report.ts";
import { KEY, Practice } from "../../harness/practice.ts";
import { CERTIFICATE, startTlsServer } from "../../harness/tls-server.ts";

const practice = new Practice();
afterEach(() => practice.close());

describe("a key", () => {
  const guarded = async (): Promise<string> =>
    practice.front(await practice.engine(), {
      answer: (request, response) => {
        if (request.headers.authorization === `Bearer ${KEY}`) return false;
        response.writeHead(401).end('{"error":"Unauthorized"}');
        return true;
      },
    });

  test("that is missing is asked for", async () => {
    const found = await practice.look(await guarded());
    expect(found.state).toBe("failed");
    expect(found.problem).toContain("wants a key (401): give it with --api-key or PITOT_API_KEY");
  });

  test("that is wrong is said to be", async () => {
    const found = await practice.look(await guarded(), { apiKey: "sk-wrong" });
    expect(found.problem).toContain("does not take the key it was given (401)");
  });

  test("that is right opens everything", async () => {
    const found = await practice.look(await guarded(), { apiKey: KEY });
    expect(found).toMatchObject({ state: "ok", engine: "vllm", metrics: { isReadable: true } });
  });
});

describe("TLS", () => {
  const secure = async (): Promise<{ url: string; port: number }> => {
    const server = await startTlsServer((_, response) => response.writeHead(404).end());
    practice.later(() => server.close());
    return server;
  };

  test("with an unknown certificate is not reached, and says how to trust it", async () => {
    const found = await practice.look((await secure()).url);
    expect(found.state).toBe("unreachable");
    expect(found.problem).toContain("its certificate is self-signed: trust it with --ca FILE");
  });

  test("with a trusted certificate is read: protocol, names, days left", async () => {
    const found = await practice.look((await secure()).url, { tls: { ca: CERTIFICATE } });
    expect(found.tls).toMatchObject({
      protocol: "TLSv1.3",
      subject: "Pitot test bench",
      issuer: "Pitot test bench",
      validTo: "2120-01-01T00:00:00.000Z",
      isTrusted: true,
    });
    expect(report(found)).toContain("until 2120-01-01");
  });

  test("with any certificate taken advises against it", async () => {
    const found = await practice.look((await secure()).url, { tls: { insecure: true } });
    expect(found.tls?.isTrusted).toBe(false);
    expect(found.advice.join("\n")).toContain("was not checked (--insecure)");
  });

  test("for another name is told apart", async () => {
    const { port } = await secure();
    const found = await practice.look(`https://localhost:${port}`, { tls: { ca: CERTIFICATE } });
    expect(found.problem).toContain("certificate is for another host name");
  });

  test("that is not spoken, or not asked for, is told apart", async () => {
    const plain = await practice.engine();
    const found = await practice.look(plain.replace("http:", "https:"));
    expect(found.problem).toBe(
      `${plain.replace("http:", "https:")} does not speak TLS: write ${plain}.`,
    );
    const { url } = await secure();
    const asPlain = await practice.look(url.replace("https:", "http:"));
    expect(asPlain.problem).toBe(`${url.replace("https:", "http:")} speaks TLS: write ${url}.`);
  });
});

describe("nothing is reached", () => {
  test("where nobody listens", async () => {
    const url = await practice.front(null, {});
    await practice.close();
    const found = await practice.look(url);
    expect(found).toMatchObject({
      state: "unreachable",
      engine: null,
      connection: null,
      advice: [],
    });
    expect(found.problem).toContain(`nothing listens at ${url}: start the engine there`);
  });

  test("where the name is not known", async () => {
    const found = await practice.look("http://no-such-host.invalid:8000");
    expect(found.problem).toContain("the host name no-such-host.invalid is not known");
  });

  test.each([
    ["hangs up at once", (): string => ""],
    ["speaks something else", (): string => "SSH-2.0-OpenSSH_9.6\r\n"],
  ])("where the server %s", async (_, greeting) => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.end(greeting());
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    practice.later(async () => server.close());
    const found = await practice.look(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect(found.state).toBe("unreachable");
    expect(found.problem).toMatch(/takes connections but does not answer \(.+\)/);
  });

  test("where the server takes connections and is silent, within the limit", async () => {
    const server = createServer((socket) => socket.on("error", () => {}));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    practice.later(async () => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const found = await practice.look(url, { signal: AbortSignal.timeout(300) });
    expect(found.state).toBe("unreachable");
    expect(found.problem).toContain("takes connections but does not answer");
  });
});
