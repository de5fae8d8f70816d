// Keeps a redis-server: it ends with this program, whatever this program ends of.
import { spawn } from "node:child_process";

const [program = "redis-server", ...args] = process.argv.slice(2);
const redis = spawn(program, args, { stdio: ["ignore", "inherit", "inherit"] });
redis.once("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
redis.once("exit", (code, signal) => {
  console.error(`redis-server ended: ${signal ?? code}`);
  process.exit(1);
});
process.on("SIGTERM", () => {
  redis.removeAllListeners("exit");
  redis.once("exit", () => process.exit(0));
  redis.kill("SIGTERM");
});
