// The last step of `npm run build`: bundles the testing kit, with the services that it runs, into the SDK, as `@runlane/sdk/testing`. What the SDK itself has, and the packages that it
// depends on, stay imports: the kit and the tasks must share them.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { manifestOf } from "./packages/published.mjs";
import { root } from "./repository.mjs";

const source = join(root, "testing-kit/dist");
const dist = join(root, "sdk-ts/dist");
/** One level below the SDK's package.json, as the modules of the services are below theirs: they read their version there. */
const bundle = join(dist, "testing-kit.js");
const types = join(dist, "testing-kit");
/** The SDK's entries that the kit may import, within `dist`. */
const sdkEntries = { "@runlane/sdk": "index.js", "@runlane/sdk/testing-seams": "testing-seams.js" };

/** Bundles what `tsc -b` made. @throws {Error} if the bundle would need what the SDK does not have */
export async function bundleTestingKit() {
  // Not before: whoever installs what is missing imports this module first.
  const { build } = await import("esbuild");
  rmSync(types, { recursive: true, force: true });
  const { metafile } = await build({
    entryPoints: [join(source, "index.js")],
    outfile: bundle,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    legalComments: "none",
    logLevel: "error",
    metafile: true,
    plugins: [{ name: "the SDK stays outside", setup: keepOutside }],
  });
  const allowed = new Set([...Object.keys(manifestOf("sdk-ts").dependencies), ...Object.values(sdkEntries).map((entry) => `./${entry}`)]);
  const foreign = Object.values(metafile.outputs)
    .flatMap((output) => output.imports)
    .map(({ path }) => path)
    .filter((path) => !path.startsWith("node:") && !allowed.has(path) && !allowed.has(packageOf(path)));
  if (foreign.length > 0) throw new Error(`the testing kit needs what the SDK does not depend on: ${foreign.join(", ")}`);
  takeTypes("index.d.ts");
}

function keepOutside({ onResolve }) {
  onResolve({ filter: /^@runlane\/sdk(\/|$)/ }, ({ path }) => ({ path: `./${entryOf(path)}`, external: true }));
  onResolve({ filter: /^(@bufbuild|@connectrpc|@grpc|@nats-io|pino|libsql)(\/|$)/ }, ({ path }) => ({ path, external: true, sideEffects: false }));
}

/** Copies a declaration, and those that it leads to: they may speak of the SDK, and of nothing else that is not theirs. */
function takeTypes(file) {
  const text = readFileSync(join(source, file), "utf8").replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n");
  mkdirSync(dirname(join(types, file)), { recursive: true });
  const resolved = text.replaceAll(/from "([^"]+)"/g, (_, specifier) => {
    if (!specifier.startsWith(".")) return `from ${JSON.stringify(`../${entryOf(specifier)}`)}`;
    const next = join(dirname(file), specifier.replace(/\.js$/, ".d.ts"));
    if (!existsSync(join(types, next))) takeTypes(next);
    return `from ${JSON.stringify(specifier)}`;
  });
  writeFileSync(join(types, file), resolved);
}

function entryOf(specifier) {
  const entry = sdkEntries[specifier];
  if (entry === undefined) throw new Error(`the testing kit may not import ${specifier}: it is not among ${Object.keys(sdkEntries).join(", ")}`);
  return entry;
}

function packageOf(path) {
  return path.split("/", path.startsWith("@") ? 2 : 1).join("/");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await bundleTestingKit();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
