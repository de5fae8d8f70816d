import { mkdir } from "node:fs/promises";
import type { Executor } from "@runlane/executor";
import {
  createAuthenticator,
  formatListenAddress,
  type HttpServer,
  healthService,
  type Logger,
  Metrics,
  type NatsLink,
  type OwnerDirectory,
  parseListenAddress,
  Readiness,
  reflectionServices,
  removeServerFile,
  type SecretKey,
  startGrpcServer,
  startHttpServer,
  writeServerFile,
} from "@runlane/platform";
import type { OwnerState } from "@runlane/queue";
import type { Scheduler } from "@runlane/scheduler";
import type { RunningServer, ServerOptions } from "./server-options.js";
import { StopOrder } from "./stop-order.js";

/**
 * A connection is asked to end after an hour, so that clients behind a balancer spread again; SDK and workers open another and lose nothing. Measured from its beginning, with a tenth of jitter
 * (grpc-js), and a minute of grace for streams.
 */
const maxConnectionAgeMs = 60 * 60_000;

/** What workers are told of how long their streams may go on when the server stops, in milliseconds; the gRPC server ends them then. */
const streamGraceMs = 500;

/** The one partition of an installation. */
export const partition = 0;

/**
 * The parts, in the order in which they stop: first it is said that nobody should come any more, then nobody comes in, then what is under way ends, then what it stands on. Health is
 * answered until the end.
 */
const stopOrder = [
  "readiness",
  "server file",
  "listener",
  "scheduler",
  "executor",
  "owner",
  "history",
  "directory",
  "transport",
  "log",
  "connection",
  "nats-server",
  "http",
  "data folder",
] as const;

/** What every process of Runlane has, whichever services it runs: readiness, listeners, a file that says where they are, and an order in which all of it stops. */
export class ServerProcess {
  readonly readiness = new Readiness();
  readonly metrics = new Metrics();
  readonly stops: StopOrder<(typeof stopOrder)[number]>;
  readonly logger: Logger;
  readonly #options: ServerOptions;
  #address: string | undefined;
  #http: HttpServer | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.logger = options.logger;
    this.stops = new StopOrder(stopOrder, options.logger);
    this.stops.add("readiness", () => this.readiness.set("draining", false, "the server is stopping"));
  }

  /** Listens for HTTP, and answers health from now on; ready only once {@link serves} was called. */
  async answerHealth(): Promise<void> {
    this.readiness.set("starting", false, "the server is starting");
    const { httpListen, listen, tls, corsOrigins, logger } = this.#options;
    const { readiness, metrics } = this;
    const http = await startHttpServer({ listen: httpListen ?? besides(listen), readiness, metrics, tls, corsOrigins, logger });
    this.#http = http;
    this.stops.add("http", () => http.close());
  }

  /** Listens for gRPC, and serves the same by HTTP. */
  async listen(secretKey: SecretKey, { scheduler, executor }: { scheduler?: Scheduler | undefined; executor?: Executor | undefined }): Promise<void> {
    const { graceMs = 5_000, listen, tls, logger } = this.#options;
    const api = [...(scheduler?.services ?? []), ...(executor?.services ?? [])];
    const health = healthService(api, this.readiness);
    const services = [...api, health, ...reflectionServices([...api, health])];
    const authenticate = createAuthenticator([secretKey]);
    const listener = await startGrpcServer({ listen, services, authenticate, maxConnectionAgeMs, tls, logger });
    this.#address = listener.address;
    this.#http?.serve(services, authenticate, scheduler?.routes);
    this.stops.add("listener", () => {
      const drained = Promise.all([listener.drain(graceMs), this.#http?.drain(graceMs)]).then(() => {});
      scheduler?.drain();
      executor?.drain(Math.min(graceMs, streamGraceMs));
      return drained;
    });
  }

  /** What callback URLs begin with; known once health is answered. */
  get publicUrl(): string {
    return this.#options.publicUrl ?? this.#http?.address ?? "";
  }

  /** The process is ready only while this connection is up. */
  needsLink(name: string, link: NatsLink): void {
    const told = (up: boolean) => this.readiness.set(name, up, "the connection to NATS is lost");
    told(link.up);
    link.watch((event) => told(event === "up"));
  }

  /** The process is ready only while somebody is known to own the partition: without an owner nothing can be answered. */
  needsOwner(directory: OwnerDirectory): void {
    const told = (known: boolean) => this.readiness.set("owner", known, `nobody owns partition ${partition}`);
    told(directory.current(partition) !== undefined);
    this.stops.add(
      "directory",
      directory.watch(partition, (owner) => told(owner !== undefined)),
    );
  }

  /** A queue that takes the partition over is not ready; one that waits for its turn is, for others serve meanwhile. */
  queueState(state: OwnerState): void {
    this.readiness.set("queue", state === "serving" || state === "waiting", `partition ${partition}: ${state}`);
  }

  /** Says where it is, by a file and in the log, and is ready from now on. */
  async serves(fileName: string, details: Record<string, unknown>): Promise<RunningServer> {
    const { dataFolder } = this.#options;
    const httpAddress = this.#http?.address ?? "";
    const place = { ...(this.#address !== undefined && { address: this.#address }), httpAddress };
    await mkdir(dataFolder, { recursive: true, mode: 0o700 });
    await writeServerFile(dataFolder, { ...place, pid: process.pid, startedAt: new Date().toISOString() }, fileName);
    this.stops.add("server file", () => removeServerFile(dataFolder, fileName));
    this.readiness.set("starting", true);
    this.logger.info({ ...place, dataFolder, ...details }, "Runlane serves");
    return { address: this.#address ?? httpAddress, httpAddress, stop: () => this.stops.stop() };
  }
}

/** The next port on the same interface; any free one for any free one. */
function besides(listen: string): string {
  const { host, port } = parseListenAddress(listen);
  return formatListenAddress({ host, port: port === 0 ? 0 : port + 1 });
}

/** Waits for `promise`, unless `signal` is aborted first. */
export async function orAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return await promise;
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
  });
  await Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", abort));
}
