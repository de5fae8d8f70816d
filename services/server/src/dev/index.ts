export { type DevOptions, type DevScreen, runDev } from "./run-dev.js";
