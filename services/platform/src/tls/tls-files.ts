import { unwatchFile, watchFile } from "node:fs";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import type { Logger } from "pino";

/** A certificate and its private key. Both in PEM. */
export interface TlsPair {
  /** The certificate, followed by those that lead to its root. */
  readonly cert: Buffer;
  /** Its private key, without a passphrase. */
  readonly key: Buffer;
}

/** What a server proves its name with. */
export interface TlsIdentity extends TlsPair {
  /** Tells of each later pair, until what it returns is called. Default: there is none. */
  readonly onRenewal?: (tell: (pair: TlsPair) => void) => () => void;
}

/** How often the files are looked at. Looking beats being told: it sees through symbolic links, which is how Kubernetes and certbot exchange certificates, and works on any file system. */
const lookEveryMs = 1_000;

/**
 * Reads certificate and key, and again whenever a file changes. While the two do not belong together, as between the writing of the one and of the other, the last pair that did stays.
 *
 * @throws Error that names the files, if one cannot be read, is not PEM, or the key is not the certificate's.
 */
export async function readTlsFiles(certFile: string, keyFile: string, logger?: Logger): Promise<TlsIdentity> {
  let last = await readPair(certFile, keyFile);
  const told = new Set<(pair: TlsPair) => void>();
  // One reading at a time, in order: a slow one must not bring an old pair back.
  let reading = Promise.resolve();
  const read = async () => {
    try {
      const pair = await readPair(certFile, keyFile);
      if (pair.cert.equals(last.cert) && pair.key.equals(last.key)) return;
      last = pair;
      for (const tell of told) tell(pair);
      logger?.info({ certificate: certFile }, "a new certificate is in use");
    } catch (error) {
      logger?.warn({ err: error }, "the certificate's files have changed, but cannot be used: the last certificate stays in use");
    }
  };
  const look = () => {
    reading = reading.then(read);
  };
  const files = [certFile, keyFile];
  const onRenewal = (tell: (pair: TlsPair) => void) => {
    if (told.size === 0) {
      for (const file of files) watchFile(file, { interval: lookEveryMs, persistent: false }, look);
      // What has changed before the first look would not count as a change.
      look();
    }
    told.add(tell);
    return () => {
      told.delete(tell);
      if (told.size === 0) for (const file of files) unwatchFile(file, look);
    };
  };
  return { ...last, onRenewal };
}

async function readPair(certFile: string, keyFile: string): Promise<TlsPair> {
  const read = (file: string) =>
    readFile(file).catch((error: NodeJS.ErrnoException) => {
      throw new Error(`cannot read ${file}: ${error.code ?? error.message}`, { cause: error });
    });
  const [cert, key] = await Promise.all([read(certFile), read(keyFile)]);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new Error(`${certFile} and ${keyFile} are not a certificate and its private key in PEM: ${(error as Error).message}`, { cause: error });
  }
  return { cert, key };
}
