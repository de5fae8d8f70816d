#!/usr/bin/env node
import { processContext } from "./cli/process-context.js";
import { runCommand } from "./cli/program.js";

process.exitCode = await runCommand(process.argv.slice(2), processContext());
