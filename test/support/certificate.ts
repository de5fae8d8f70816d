import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { temporaryFolder } from "./temporary-folder.js";
import type { OnCleanUp } from "./test-server.js";

/** Files of a certificate for `localhost` and 127.0.0.1, which is its own authority. */
export interface Certificate {
  cert: string;
  key: string;
}

/** Why no certificate can be made here, or undefined if it can. */
export function certificateFault(): string | undefined {
  return spawnSync("openssl", ["version"]).error ? "openssl is not installed" : undefined;
}

/** Makes a certificate. */
export function makeCertificate(onCleanUp?: OnCleanUp): Certificate {
  const folder = temporaryFolder(onCleanUp);
  const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "2"];
  const { status, stderr } = spawnSync("openssl", [...kind, ...names, "-keyout", files.key, "-out", files.cert], { encoding: "utf8" });
  if (status !== 0) throw new Error(`openssl made no certificate: ${stderr}`);
  return files;
}
