import { execFile } from "node:child_process";
import { join } from "node:path";
import { repository } from "./program.js";

/** buf: a client of gRPC, gRPC-Web and Connect that has nothing in common with ours. */
export const bufProgram = join(repository, "node_modules/.bin/buf");

/** How a program ended. */
export interface ToolResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program of somebody else to its end, 30 s at most. */
export function tool(program: string, args: string[]): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: 30_000 }, (error, stdout, stderr) => {
      if (error && typeof error.code !== "number") reject(error);
      else resolve({ code: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}
