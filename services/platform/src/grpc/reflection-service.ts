import type { DescFile } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { ServerReflection, type ServerReflectionRequest } from "#gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionV1Alpha } from "#gen/grpc/reflection/v1alpha/reflection_pb.js";
import { type GrpcService, grpcService } from "./grpc-service.js";
import { descriptorsOf, ServedFiles } from "./served-files.js";

/** A question as both versions ask it. They differ in nothing but their package. */
type Question = ServerReflectionRequest["messageRequest"];

/**
 * gRPC's reflection, `grpc.reflection.v1.ServerReflection` and `v1alpha`, by which tools find out what a server serves: `services`, and these two. It tells what the contracts
 * tell, and needs no key.
 */
export function reflectionServices(services: readonly GrpcService[]): GrpcService[] {
  const served = [...services.map(({ service }) => service), ServerReflection, ServerReflectionV1Alpha];
  const files = new ServedFiles(served);
  const names = served.map(({ typeName }) => ({ name: typeName }));
  const answer = (question: Question) => {
    switch (question.case) {
      case "listServices":
        return { case: "listServicesResponse" as const, value: { service: names } };
      case "fileByFilename":
        return descriptors(files.named(question.value), question.value);
      case "fileContainingSymbol":
        return descriptors(files.declaring(question.value), question.value);
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = question.value;
        return descriptors(files.extending(containingType, extensionNumber), `extension ${extensionNumber} of ${containingType}`);
      }
      case "allExtensionNumbersOfType": {
        const extensionNumber = files.extensionNumbers(question.value);
        if (extensionNumber === undefined) return notFound(question.value);
        return { case: "allExtensionNumbersResponse" as const, value: { baseTypeName: question.value, extensionNumber } };
      }
      default:
        return failure(Code.InvalidArgument, "the request asks for nothing that is known here");
    }
  };
  return [
    grpcService(
      ServerReflection,
      {
        async *serverReflectionInfo(requests) {
          for await (const request of requests) yield { validHost: request.host, originalRequest: request, messageResponse: answer(request.messageRequest) };
        },
      },
      { withoutKey: true },
    ),
    grpcService(
      ServerReflectionV1Alpha,
      {
        async *serverReflectionInfo(requests) {
          for await (const request of requests) {
            yield { validHost: request.host, originalRequest: request, messageResponse: answer(request.messageRequest as Question) };
          }
        },
      },
      { withoutKey: true },
    ),
  ];
}

function descriptors(file: DescFile | undefined, what: string) {
  if (file === undefined) return notFound(what);
  return { case: "fileDescriptorResponse" as const, value: { fileDescriptorProto: descriptorsOf(file) } };
}

function notFound(what: string) {
  return failure(Code.NotFound, `${what} is not part of what is served here`);
}

function failure(code: Code, message: string) {
  // Connect's codes are gRPC's.
  return { case: "errorResponse" as const, value: { errorCode: code as number, errorMessage: message } };
}
