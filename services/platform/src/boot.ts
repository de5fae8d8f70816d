// What a process of Runlane needs in its first moments. All of it loads within milliseconds: the rest is loaded while nats-server starts.
export { secretKeyOf } from "./auth/secret-key.js";
export { type DataFolder, findDataFolder, openDataFolder } from "./config/data-folder.js";
export { parseListenAddress } from "./config/listen-address.js";
export { createLogger, type Logger } from "./logging/logger.js";
export { readNatsCredentials } from "./nats/credentials-file.js";
export { launchEmbeddedNats } from "./nats/embedded-server.js";
export type { NatsSync } from "./nats/server-config.js";
export { natsUsers } from "./nats/users.js";
export { readTlsFiles, type TlsIdentity } from "./tls/tls-files.js";
