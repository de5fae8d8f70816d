import type { MessageInitShape } from "@bufbuild/protobuf";
import { create, createFileRegistry, type DescFile, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ServerReflection, type ServerReflectionRequestSchema } from "#gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionV1Alpha } from "#gen/grpc/reflection/v1alpha/reflection_pb.js";
import { RunService } from "#gen/runlane/v1/run_service_pb.js";
import { grpcService } from "./grpc-service.js";
import { reflectionServices } from "./reflection-service.js";
import { ServedFiles } from "./served-files.js";

const transport = createRouterTransport(({ service: add }) => {
  for (const { service, implementation } of reflectionServices([grpcService(RunService, {})])) add(service, implementation);
});
type Question = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]>;

describe.each([
  ["v1", createClient(ServerReflection, transport)],
  ["v1alpha", createClient(ServerReflectionV1Alpha, transport)],
])("reflection %s", (_version, client) => {
  async function ask(...questions: Question[]) {
    const answers = [];
    async function* requests() {
      for (const messageRequest of questions) yield { host: "here", messageRequest };
    }
    for await (const answer of client.serverReflectionInfo(requests() as never)) answers.push(answer);
    return answers;
  }
  async function files(question: Question): Promise<string[]> {
    const [answer] = await ask(question);
    if (answer?.messageResponse.case !== "fileDescriptorResponse") throw new Error(`no file: ${JSON.stringify(answer?.messageResponse)}`);
    return answer.messageResponse.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
  }

  test("lists what is served", async () => {
    const [answer] = await ask({ case: "listServices", value: "" });
    expect(answer).toMatchObject({ validHost: "here", originalRequest: { host: "here" } });
    expect(answer?.messageResponse.value).toMatchObject({
      service: [{ name: "runlane.v1.RunService" }, { name: "grpc.reflection.v1.ServerReflection" }, { name: "grpc.reflection.v1alpha.ServerReflection" }],
    });
  });

  test.each<[string, Question]>([
    ["a file's name", { case: "fileByFilename", value: "runlane/v1/run_service.proto" }],
    ["a service", { case: "fileContainingSymbol", value: "runlane.v1.RunService" }],
    ["a method", { case: "fileContainingSymbol", value: "runlane.v1.RunService.GetRun" }],
    ["a message", { case: "fileContainingSymbol", value: "runlane.v1.GetRunRequest" }],
    ["a field", { case: "fileContainingSymbol", value: "runlane.v1.GetRunRequest.run_id" }],
  ])("finds a file by %s, and sends it behind everything that it imports", async (_what, question) => {
    const names = await files(question);
    expect(names.at(-1)).toBe("runlane/v1/run_service.proto");
    expect(names).toContain("google/protobuf/any.proto");
    expect(new Set(names).size).toBe(names.length);
  });

  test("finds the file of an enum's value beside the enum", async () => {
    expect((await files({ case: "fileContainingSymbol", value: "runlane.v1.RUN_STATE_QUEUED" })).at(-1)).toBe("runlane/v1/run.proto");
  });

  test("the files suffice to build the service again", async () => {
    const [answer] = await ask({ case: "fileContainingSymbol", value: "runlane.v1.RunService" });
    const bytes = answer?.messageResponse.case === "fileDescriptorResponse" ? answer.messageResponse.value.fileDescriptorProto : [];
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: bytes.map((one) => fromBinary(FileDescriptorProtoSchema, one)) }));
    expect(registry.getService("runlane.v1.RunService")?.methods.map(({ name }) => name)).toEqual(RunService.methods.map(({ name }) => name));
  });

  test("answers each of many questions, also what is not there", async () => {
    const answers = await ask(
      { case: "fileByFilename", value: "runlane/internal/v1/log.proto" },
      { case: "fileContainingSymbol", value: "runlane.v1.Nonsense" },
      { case: "fileContainingExtension", value: { containingType: "google.protobuf.MethodOptions", extensionNumber: 1 } },
      { case: "allExtensionNumbersOfType", value: "runlane.v1.Run" },
      { case: "allExtensionNumbersOfType", value: "runlane.v1.Nonsense" },
      { case: undefined },
    );
    expect(answers.map(({ messageResponse: { value } }) => value)).toMatchObject([
      { errorCode: 5 },
      { errorCode: 5 },
      { errorCode: 5 },
      { baseTypeName: "runlane.v1.Run", extensionNumber: [] },
      { errorCode: 5 },
      { errorCode: 3 },
    ]);
  });
});

test("extensions are found by what they extend", () => {
  const source = create(FileDescriptorSetSchema, {
    file: [
      {
        name: "base.proto",
        package: "a",
        syntax: "proto2",
        messageType: [{ name: "Base", extensionRange: [{ start: 100, end: 200 }] }],
        extension: [{ name: "more", extendee: ".a.Base", number: 150, type: 9, label: 1 }],
        service: [{ name: "S", method: [] }],
      },
    ],
  });
  const service = createFileRegistry(source).getService("a.S");
  if (!service) throw new Error("the service is not there");
  const files = new ServedFiles([service]);
  const nameOf = (file: DescFile | undefined) => file?.proto.name;
  expect(nameOf(files.extending("a.Base", 150))).toBe("base.proto");
  expect(nameOf(files.declaring("a.more"))).toBe("base.proto");
  expect(files.extending("a.Base", 151)).toBeUndefined();
  expect(files.extensionNumbers("a.Base")).toEqual([150]);
});
