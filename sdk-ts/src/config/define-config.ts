import type { AnyOnFailureHookFunction, AnyOnInitHookFunction, AnyOnStartHookFunction, AnyOnSuccessHookFunction } from "../hooks/task-hooks.js";
import type { LogLevel } from "../logger.js";
import type { MachineOption } from "../machine/machine-option.js";
import type { RetryOptions } from "../task/retry-options.js";

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
  /** Machine of tasks that name none; each of their runs then has a process of its own. Default: none, tasks share processes. */
  machine?: MachineOption;
  /** How long attempts may be active, in seconds, for tasks that do not say: 5 at least, `timeout.None` for no limit. Default: no limit. */
  maxDuration?: number;
  /** How long runs may be in their queue before they start, for tasks that do not say: a text like "10m", or seconds; 0 for no limit. Default: no limit. */
  ttl?: string | number;
  /** How long code may block the event loop of its process before it counts as stalled and the process is ended, in seconds. Default 300. Ours. */
  stallTimeout?: number;
  /** The tsconfig with path aliases and JSX settings, relative to the config. Default: the nearest tsconfig.json of each file. */
  tsconfig?: string;
  /** What tasks print with `console` is always printed, each line with its run in front: accepted as it is. */
  enableConsoleLogging?: boolean;
  /** True: what tasks print is left as it is, without the run in front. Default false. */
  disableConsoleInterceptor?: boolean;
  /** How task files are bundled. Packages always stay outside of the bundle, unless Node could not load them. */
  build?: BuildConfig;
}

/** How task files are bundled. */
export interface BuildConfig {
  /** Conditions of imports, besides Node's own: for the bundle, and for the packages that stay outside. */
  conditions?: string[];
  /** Packages that stay outside in any case, though they are TypeScript; `*` stands for any characters. */
  external?: string[];
  /** Installed packages always stay outside: accepted as it is. */
  autoDetectExternal?: boolean;
  /** Functions and classes keep their names. Default true. */
  keepNames?: boolean;
  /** Default false. */
  minify?: boolean;
  /** How JSX is translated. `automatic`, by default true, is React's own way since 17; else `factory` ("React.createElement") and `fragment` ("React.Fragment") count. */
  jsx?: { factory?: string; fragment?: string; automatic?: boolean };
  /** Without effect so far: extensions of Trigger.dev's build. */
  extensions?: object[];
}

/** Keys of Trigger.dev's config that are accepted and have no effect so far; a worker names those that it meets. */
export interface IneffectiveConfig {
  runtime?: string;
  processKeepAlive?: boolean | { enabled: boolean; maxExecutionsPerProcess?: number; devMaxPoolSize?: number };
  legacyDevProcessCwdBehaviour?: boolean;
  extraCACerts?: string;
  telemetry?: {
    instrumentations?: object[];
    exporters?: object[];
    spanProcessors?: object[];
    logExporters?: object[];
    metricExporters?: object[];
    metricReaders?: object[];
    resource?: object;
  };
  compatibilityFlags?: "run_engine_v2"[];
  instrumentations?: object[];
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
  machine: true,
  maxDuration: true,
  ttl: true,
  stallTimeout: true,
  tsconfig: true,
  enableConsoleLogging: true,
  disableConsoleInterceptor: true,
  build: true,
};

/** Keys of a config that have no effect so far, for a worker's warning. */
export function keysWithoutEffect(config: RunlaneConfig): string[] {
  const given = Object.entries(config).filter(([key, value]) => value !== undefined && !(key in effective));
  const keys = given.map(([key]) => key);
  return config.build?.extensions?.length ? [...keys, "build.extensions"] : keys;
}
