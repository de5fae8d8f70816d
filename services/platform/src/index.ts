export * from "./errors.js";
export * from "./log/log.js";
export * from "./transport/internal-transport.js";
export * from "./transport/owner-directory.js";
