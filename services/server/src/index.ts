export { findNatsBinary, type NatsBinaryOptions, oldestNatsServer } from "./nats-binary.js";
export { type RunningServer, type ServerOptions, startServer } from "./start-server.js";
