import { refuseUnsupported } from "../unsupported.js";
import type { ServerTarget } from "./connection-source.js";
import { findDataFolder } from "./data-folder.js";
import { parseServerAddress } from "./server-address.js";

/** How the SDK reaches the server. What is left out comes from the environment, then from the nearest data folder. */
export interface ApiClientConfiguration {
  /** Address of the server, `http(s)://host[:port]`. Default: RUNLANE_ADDRESS, else TRIGGER_API_URL, else the data folder's server, else http://127.0.0.1:7400. */
  baseURL?: string;
  /** Secret key of the environment. Default: RUNLANE_SECRET_KEY, else TRIGGER_SECRET_KEY, else the data folder's key. */
  accessToken?: string;
  /** The same as `accessToken`, which wins. */
  secretKey?: string;
  /** How calls behave. */
  requestOptions?: {
    /** How long to try while the server cannot be reached, or refuses for the time being; in milliseconds. Default 60,000; 10,000 as long as it has never been reached. */
    timeoutInMs?: number;
  };
}

/** Thrown by calls when no secret key is found. Its message says where one may be put. */
export class ApiClientMissingError extends Error {
  override readonly name = "ApiClientMissingError";
}

const defaultAddress = "http://127.0.0.1:7400";

const key = Symbol.for("runlane.client-configuration.v1");

// Behind Symbol.for because several copies of the SDK may be loaded in one process and must reach the same server.
function holder(): { [key]?: ApiClientConfiguration } {
  return globalThis as { [key]?: ApiClientConfiguration };
}

/**
 * Says which server to use, for the whole process. Calls under way are not touched. What is left out, or was set before and is now left out, comes from the environment.
 *
 * @throws Error if `baseURL` is not an address, or for options of Trigger.dev that have no effect yet.
 */
export function configure(configuration: ApiClientConfiguration): void {
  refuseUnsupported("configure", configuration, ["baseURL", "accessToken", "secretKey", "requestOptions"]);
  refuseUnsupported("configure: requestOptions", configuration.requestOptions, ["timeoutInMs"]);
  if (configuration.baseURL !== undefined) parseServerAddress(configuration.baseURL);
  holder()[key] = { ...configuration };
}

const unconfigured: ApiClientConfiguration = Object.freeze({});

/** What `configure` was given last; the same object until it is called again. */
export function presentConfiguration(): ApiClientConfiguration {
  return holder()[key] ?? unconfigured;
}

/**
 * Looks up the server and the key. Address and key are looked up one by one: `configuration`, RUNLANE_*, TRIGGER_*, the nearest data folder. The key of a data folder goes to
 * servers of this machine only.
 *
 * @throws ApiClientMissingError if there is no key.
 */
export function resolveTarget(configuration: ApiClientConfiguration, env: NodeJS.ProcessEnv = process.env, from: string = process.cwd()): ServerTarget {
  const folder = findDataFolder(from);
  const address = configuration.baseURL || env.RUNLANE_ADDRESS || env.TRIGGER_API_URL || folder?.address || defaultAddress;
  const given = configuration.accessToken || configuration.secretKey || env.RUNLANE_SECRET_KEY || env.TRIGGER_SECRET_KEY;
  const secretKey = given?.trim() || (parseServerAddress(address).loopback ? folder?.secretKey : undefined);
  if (!secretKey) {
    throw new ApiClientMissingError(
      `No secret key for the Runlane server at ${address}. Set RUNLANE_SECRET_KEY, or call configure({ secretKey }). For a server on this machine, start it ` +
        "here or in a folder above (`npx runlane server`): its data folder .runlane holds the key.",
    );
  }
  return { address, secretKey };
}

/**
 * Looks up where a worker connects: RUNLANE_WORKER_ADDRESS, for installations whose executors have another address than their schedulers; else as {@link resolveTarget} does.
 *
 * @throws ApiClientMissingError if there is no key.
 */
export function resolveWorkerTarget(env: NodeJS.ProcessEnv = process.env, from: string = process.cwd()): ServerTarget {
  return resolveTarget({ baseURL: env.RUNLANE_WORKER_ADDRESS }, env, from);
}
