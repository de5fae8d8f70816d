import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";

/** What a server proves its name with. Both in PEM. */
export interface TlsIdentity {
  /** The certificate, followed by those that lead to its root. */
  readonly cert: Buffer;
  /** Its private key, without a passphrase. */
  readonly key: Buffer;
}

/**
 * Reads certificate and key.
 *
 * @throws Error that names the files, if one cannot be read, is not PEM, or the key is not the certificate's.
 */
export async function readTlsFiles(certFile: string, keyFile: string): Promise<TlsIdentity> {
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
