export { findNatsBinary, type NatsBinaryOptions, oldestNatsServer } from "./nats-binary.js";
export type { ExternalNats, RunningServer, ServerOptions, ServiceName, ServiceProcessOptions, WholeServerOptions } from "./server-options.js";
export { startServer } from "./start-server.js";
export { startServices } from "./start-services.js";
