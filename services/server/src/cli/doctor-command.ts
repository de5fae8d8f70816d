import { styleText } from "node:util";
import { type CheckResult, examine } from "../doctor/checks.js";
import { Scene } from "../doctor/scene.js";
import type { ClientOptions, CommandContext } from "./command-context.js";
import { commandVersion } from "./command-version.js";
import { type ExitCode, exitCode } from "./exit-code.js";

/** Options of `runlane doctor`. */
export interface DoctorCommandOptions extends ClientOptions {
  config?: string;
  data?: string;
  natsServer?: string;
}

/** `runlane doctor [dirs...]`: looks at everything that Runlane needs here, and says what to do where something is amiss. */
export async function doctorCommand(context: CommandContext, dirs: string[], options: DoctorCommandOptions): Promise<ExitCode> {
  const { terminal } = context;
  const scene = await Scene.enter({
    cwd: process.cwd(),
    env: process.env,
    dirs,
    configFile: options.config,
    address: options.address,
    data: options.data,
    natsServer: options.natsServer,
    version: commandVersion(),
    connect: (address) => context.connect(address),
  });
  const results: CheckResult[] = [];
  const colors = process.stdout.isTTY === true && !process.env.NO_COLOR;
  for await (const result of examine(scene)) {
    results.push(result);
    if (!options.json) terminal.result(resultLines(result, colors));
  }
  const count = (level: CheckResult["level"]) => results.filter((result) => result.level === level).length;
  const healthy = count("fail") === 0;
  if (options.json) terminal.result(JSON.stringify({ healthy, checks: results }));
  else terminal.result(`\n${healthy ? "Nothing fails" : `${count("fail")} fail`}, ${count("warn")} to think about.`);
  return healthy ? exitCode.ok : exitCode.refused;
}

const titleWidth = 20;
const colorOf = { ok: "green", warn: "yellow", fail: "red", skip: "dim" } as const;

/** A result for people: what was found, and below it what to do. */
function resultLines({ level, title, words, advice }: CheckResult, colors: boolean): string {
  const indent = " ".repeat(6 + titleWidth);
  const mark = level.padEnd(6);
  const lines = `${colors ? styleText(colorOf[level], mark) : mark}${title.padEnd(titleWidth)}${words.trimEnd().replaceAll("\n", `\n${indent}`)}`;
  return advice === undefined ? lines : `${lines}\n${indent}-> ${advice}`;
}
