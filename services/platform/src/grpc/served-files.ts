import { type DescEnum, type DescExtension, type DescFile, type DescMessage, type DescService, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** The contracts of some services: the files that define them and everything that those import, by what they hold. */
export class ServedFiles {
  readonly #byName = new Map<string, DescFile>();
  readonly #bySymbol = new Map<string, DescFile>();
  /** Files of extensions, by the extended message and the number. */
  readonly #extensions = new Map<string, Map<number, DescFile>>();

  constructor(services: readonly DescService[]) {
    for (const service of services) this.#add(service.file);
  }

  /** The file of a name, for instance "runlane/v1/run.proto". */
  named(name: string): DescFile | undefined {
    return this.#byName.get(name);
  }

  /** The file that declares a message, enum, service, extension, or a part of one, by its full name. */
  declaring(symbol: string): DescFile | undefined {
    return this.#bySymbol.get(symbol);
  }

  /** The file that extends a message by this number. */
  extending(message: string, number: number): DescFile | undefined {
    return this.#extensions.get(message)?.get(number);
  }

  /** The numbers by which a message is extended; undefined if the message is not known. */
  extensionNumbers(message: string): number[] | undefined {
    const numbers = this.#extensions.get(message);
    return numbers ? [...numbers.keys()] : this.#bySymbol.has(message) ? [] : undefined;
  }

  #add(file: DescFile): void {
    const { name } = file.proto;
    if (this.#byName.has(name)) return;
    this.#byName.set(name, file);
    for (const dependency of file.dependencies) this.#add(dependency);
    for (const type of nestedTypes(file)) for (const symbol of symbolsOf(type)) this.#bySymbol.set(symbol, file);
    for (const type of nestedTypes(file)) {
      if (type.kind !== "extension") continue;
      const numbers = this.#extensions.get(type.extendee.typeName) ?? new Map<number, DescFile>();
      this.#extensions.set(type.extendee.typeName, numbers.set(type.number, file));
    }
  }
}

/** The descriptors of a file and of everything that it imports, the imported ones first, as bytes. */
export function descriptorsOf(file: DescFile): Uint8Array[] {
  const files = new Set<DescFile>();
  const visit = (one: DescFile) => {
    for (const dependency of one.dependencies) visit(dependency);
    files.add(one);
  };
  visit(file);
  return [...files].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
}

function symbolsOf(type: DescMessage | DescEnum | DescExtension | DescService): string[] {
  const { typeName } = type;
  switch (type.kind) {
    case "message":
      return [typeName, ...type.fields.map(({ name }) => `${typeName}.${name}`), ...type.oneofs.map(({ name }) => `${typeName}.${name}`)];
    case "enum": {
      // Values live beside their enum, not in it.
      const scope = typeName.slice(0, typeName.lastIndexOf(".") + 1);
      return [typeName, ...type.values.map(({ name }) => scope + name)];
    }
    case "service":
      return [typeName, ...type.methods.map(({ name }) => `${typeName}.${name}`)];
    case "extension":
      return [typeName];
  }
}
