import type { AnyOnFailureHookFunction, AnyOnInitHookFunction, AnyOnStartHookFunction, AnyOnSuccessHookFunction } from "../hooks/task-hooks.js";
import type { LogLevel } from "../logger.js";
import type { RetryOptions } from "../task/retry-options.js";
import type { MachinePresetName } from "../task/task-types.js";

/** Keys that have an effect. */
export interface EffectiveConfig {
  /** What `ctx.project` shows. A server serves one project. Default "default". */
  project?: string;
  /** Folders with task files, relative to the config. Default: folders named `trigger`. */
  dirs?: string[];
  /** Glob patterns of files in `dirs` that are no task files. Default: tests (`*.test.*`, `*.spec.*`). */
  ignorePatterns?: string[];
  /** Retries of tasks without `retry` of their own. */
  retries?: {
    /** Default: 3 attempts, 1 s to 60 s apart. */
    default?: RetryOptions;
    /** False: under `runlane dev` no failed attempt is tried again, and `catchError` is not asked. Default true. */
    enabledInDev?: boolean;
  };
  /** Least severe level of `logger` that is printed. Default "info". */
  logLevel?: LogLevel;
  /** "process" gives every attempt a process of its own. Default "shared": only tasks with a `machine` have one. Ours. */
  isolation?: "shared" | "process";
  /** Hooks for all tasks, before those of `tasks.on…`; so is a `handleError` that the config's file exports. */
  init?: AnyOnInitHookFunction;
  onStart?: AnyOnStartHookFunction;
  onSuccess?: AnyOnSuccessHookFunction;
  onFailure?: AnyOnFailureHookFunction;
}

/** Keys of Trigger.dev's config that are accepted and have no effect so far; a worker names those that it meets. */
export interface IneffectiveConfig {
  maxDuration?: number;
  runtime?: string;
  machine?: MachinePresetName;
  ttl?: string | number;
  tsconfig?: string;
  enableConsoleLogging?: boolean;
  disableConsoleInterceptor?: boolean;
  processKeepAlive?: boolean | { enabled: boolean; maxExecutionsPerProcess?: number; devMaxPoolSize?: number };
  legacyDevProcessCwdBehaviour?: boolean;
  extraCACerts?: string;
  telemetry?: object;
  instrumentations?: object[];
  build?: {
    conditions?: string[];
    extensions?: object[];
    external?: string[];
    autoDetectExternal?: boolean;
    keepNames?: boolean;
    minify?: boolean;
    jsx?: { factory?: string; fragment?: string; automatic?: boolean };
  };
  deploy?: { env?: Record<string, string> };
}

/** What `runlane.config.ts`, or `trigger.config.ts`, exports by default. */
export interface RunlaneConfig extends EffectiveConfig, IneffectiveConfig {}

/** The name of the type in Trigger.dev. */
export type TriggerConfig = RunlaneConfig;

/** Gives a config its type: `export default defineConfig({ dirs: ["./trigger"] })`. Returns it as it is. */
export function defineConfig(config: RunlaneConfig): RunlaneConfig {
  return config;
}

const effective: Record<keyof Required<EffectiveConfig>, true> = {
  project: true,
  dirs: true,
  ignorePatterns: true,
  retries: true,
  logLevel: true,
  isolation: true,
  init: true,
  onStart: true,
  onSuccess: true,
  onFailure: true,
};

/** Keys of a config that have no effect so far, for a worker's warning. */
export function keysWithoutEffect(config: RunlaneConfig): string[] {
  const given = Object.entries(config).filter(([key, value]) => value !== undefined && !(key in effective));
  return given.map(([key]) => key);
}
