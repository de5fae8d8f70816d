// `node nats-server.mjs <program> <arguments…>`: runs a nats-server as a child that does not outlive this process, so that it can be on a leash as Node programs are.
import { spawn } from "node:child_process";

const [, , program = "", ...args] = process.argv;
const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit"] });
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("exit", (code, signal) => process.exit(signal === null ? (code ?? 1) : 0));
