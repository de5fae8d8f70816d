/** A number that a process tells whoever watches over it. */
export interface Metric {
  /** Lower case letters and "_"; begins with "runlane_". A counter's ends with "_total". */
  readonly name: string;
  /** What it is, with its unit; the same wherever the name occurs. */
  readonly help: string;
  /** Whether it may go down. */
  readonly type: "gauge" | "counter";
  /** Tells metrics of one name apart. Default none. */
  readonly labels?: Readonly<Record<string, string>>;
  /** The number, read when somebody asks. */
  readonly read: () => number;
}

/** What a process tells of itself in numbers, in the text format of Prometheus, at `/metrics`. */
export class Metrics {
  readonly #metrics = new Set<Metric>();

  /** Tells another number from now on; returns how to stop that. */
  add(metric: Metric): () => void {
    this.#metrics.add(metric);
    return () => void this.#metrics.delete(metric);
  }

  /** All of them, those of one name together. */
  text(): string {
    const families = new Map<string, string[]>();
    for (const { name, help, type, labels = {}, read } of this.#metrics) {
      let lines = families.get(name);
      if (!lines) {
        lines = [`# HELP ${name} ${escaped(help)}`, `# TYPE ${name} ${type}`];
        families.set(name, lines);
      }
      const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value).replaceAll('"', '\\"')}"`);
      lines.push(`${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${read()}`);
    }
    return [...families.values()].flatMap((lines) => lines.map((line) => `${line}\n`)).join("");
  }
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
