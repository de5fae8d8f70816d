import { resolve } from "node:path";
import type { RunlaneConfig } from "@runlane/sdk";
import type { BuildOptions } from "esbuild";

/** What a config says of how its task files are bundled. */
export interface BundleSettings {
  /** For esbuild. */
  readonly options?: Pick<BuildOptions, "tsconfig" | "conditions" | "keepNames" | "minify" | "jsx" | "jsxFactory" | "jsxFragment">;
  /** Packages that stay outside in any case; `*` stands for any characters. */
  readonly external?: readonly string[] | undefined;
}

/** The settings in a config. */
export function bundleSettings(folder: string, { tsconfig, build = {} }: RunlaneConfig): BundleSettings {
  const { conditions, keepNames, minify, jsx = {}, external } = build;
  const classic = jsx.automatic === false ? ({ jsx: "transform", jsxFactory: jsx.factory, jsxFragment: jsx.fragment } as const) : {};
  const given = { tsconfig: tsconfig === undefined ? undefined : resolve(folder, tsconfig), conditions, keepNames, minify, ...classic };
  return { options: Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)), external };
}

/** Whether an import is of one of these packages: by its name, by a path in it, or by a pattern with `*`. */
export function isExternal(path: string, external: readonly string[] = []): boolean {
  return external.some((name) => {
    if (!name.includes("*")) return path === name || path.startsWith(`${name}/`);
    const parts = name.split("*").map((part) => part.replaceAll(/[\\^$.|+?()[\]{}]/g, "\\$&"));
    return new RegExp(`^${parts.join(".*")}$`).test(path);
  });
}
