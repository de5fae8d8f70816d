import { X509Certificate } from "node:crypto";
import { copyFileSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import tls from "node:tls";
import { describe, expect, test, vi } from "vitest";
import { certificateFault, makeCertificate } from "./support/certificate.js";
import { Program, repository, runlaneCommand } from "./support/program.js";
import { temporaryFolder } from "./support/temporary-folder.js";
import { TestServer } from "./support/test-server.js";
import { bufProgram, tool } from "./support/tool.js";

describe.skipIf(certificateFault())("with a certificate", () => {
  test("both ports speak TLS: worker, command and strangers by https, each of the protocols, HTTP/1.1 and HTTP/2", async () => {
    const { cert, key } = makeCertificate();
    const server = await TestServer.start({ args: ["--tls-cert", cert, "--tls-key", key] });
    expect([server.address, server.httpAddress].map((address) => new URL(address).protocol)).toEqual(["https:", "https:"]);
    // By the name that the certificate proves.
    const named = (address: string) => address.replace("127.0.0.1", "localhost");
    const env = { RUNLANE_ADDRESS: named(server.address), RUNLANE_SECRET_KEY: server.secretKey };
    const byNode = { ...env, NODE_EXTRA_CA_CERTS: cert, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: undefined };
    const cwd = join(repository, "test/fixtures/tasks");
    const worker = new Program(runlaneCommand, ["worker", "."], { cwd, env: { ...env, RUNLANE_TLS_CA: cert } });
    const command = new Program(runlaneCommand, ["trigger", "echo", '{"over":"TLS"}', "--wait", "--json"], { cwd, env: byNode });
    expect([await command.ended, command.stderr]).toEqual([0, ""]);
    expect(JSON.parse(command.stdout)).toMatchObject({ state: "COMPLETED", output: { over: "TLS" } });
    expect(await worker.stop()).toBe(0);

    const authorization = `authorization: Bearer ${server.secretKey}`;
    const curl = ["-sS", "--cacert", cert, "-w", " %{http_version}", "-H", authorization, "-H", "content-type: application/json", "-d", "{}"];
    const listTasks = `${named(server.httpAddress)}/runlane.v1.TaskService/ListTasks`;
    for (const [version, shown] of [
      ["--http1.1", "1.1"],
      ["--http2", "2"],
    ] as const) {
      expect((await tool("curl", [...curl, version, listTasks])).stdout).toMatch(new RegExp(`"echo".* ${shown}$`));
    }
    const buf = (address: string, protocol: string) =>
      tool(bufProgram, [
        "curl",
        "--cacert",
        cert,
        "--protocol",
        protocol,
        "-H",
        authorization,
        "-d",
        "{}",
        `${named(address)}/runlane.v1.TaskService/ListTasks`,
      ]);
    for (const protocol of ["connect", "grpcweb", "grpc"]) expect((await buf(server.httpAddress, protocol)).stdout).toContain('"echo"');
    expect((await buf(server.address, "grpc")).stdout).toContain('"echo"');

    // Cleartext and strangers' certificates get nowhere.
    await expect(fetch(`http://${new URL(server.httpAddress).host}/livez`)).rejects.toThrow();
    const distrustful = new Program(runlaneCommand, ["trigger", "echo", "--address", named(server.address)], {
      cwd,
      env: { RUNLANE_SECRET_KEY: server.secretKey },
    });
    await distrustful.until("the command says what is wrong", () => /certificate/.test(distrustful.output));
    await distrustful.kill();
  });

  test("a certificate that is renewed in its place is shown to every later connection, on both ports, without a restart; half of one changes nothing", async () => {
    const { cert, key } = makeCertificate();
    const server = await TestServer.start({ args: ["--tls-cert", cert, "--tls-key", key] });
    const shown = (address: string, ALPNProtocols: string[]) =>
      new Promise<string>((resolve, reject) => {
        const { hostname, port } = new URL(address);
        const socket = tls.connect({ host: hostname, port: Number(port), ca: readFileSync(cert), rejectUnauthorized: false, ALPNProtocols });
        socket.once("error", reject);
        socket.once("secureConnect", () => {
          const { fingerprint256 } = socket.getPeerCertificate();
          resolve(`${fingerprint256} ${socket.alpnProtocol}`);
          socket.destroy();
        });
      });
    const both = async () => [await shown(server.address, ["h2"]), await shown(server.httpAddress, ["http/1.1"])];
    const fingerprint = () => new X509Certificate(readFileSync(cert)).fingerprint256;
    const before = [`${fingerprint()} h2`, `${fingerprint()} http/1.1`];
    expect(await both()).toEqual(before);

    const renewed = makeCertificate();
    copyFileSync(renewed.cert, cert);
    await server.program.until("the server has seen the half", () => server.program.stderr.includes("the last certificate stays in use"));
    expect(await both()).toEqual(before);
    // As certbot and Kubernetes do it: another file takes the name.
    renameSync(renewed.key, key);
    const after = [`${fingerprint()} h2`, `${fingerprint()} http/1.1`];
    await vi.waitFor(async () => expect(await both()).toEqual(after), { timeout: 30_000, interval: 50 });
  });

  test.each([
    ["a certificate without a key", ({ cert }: { cert: string }) => ["--tls-cert", cert], 2, "belong together"],
    ["a file that is not there", ({ cert }: { cert: string }) => ["--tls-cert", cert, "--tls-key", "/nowhere"], 4, "cannot read /nowhere: ENOENT"],
    ["a file that is no key", ({ cert }: { cert: string }) => ["--tls-cert", cert, "--tls-key", cert], 4, "are not a certificate and its private key"],
  ])("%s is refused in words", async (_what, args, code, words) => {
    const data = temporaryFolder();
    const program = new Program(runlaneCommand, ["server", "--data", data, "--listen", "127.0.0.1:0", ...args(makeCertificate())], { cwd: data });
    expect([await program.ended, program.stderr]).toEqual([code, expect.stringContaining(words)]);
    expect(() => readFileSync(join(data, "server.json"))).toThrow();
  });
});
