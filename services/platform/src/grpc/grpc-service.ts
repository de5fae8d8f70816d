import type { DescService } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";

/** A service and its handlers, ready to be served by any listener. Methods without a handler answer UNIMPLEMENTED. */
export interface GrpcService {
  readonly service: DescService;
  readonly implementation: Partial<ServiceImpl<DescService>>;
  /** Callers need no secret key; handlers then find no principal. Default false. */
  readonly withoutKey?: boolean;
}

/** Pairs a service with its handlers, checked against each other. */
export function grpcService<S extends DescService>(
  service: S,
  implementation: Partial<ServiceImpl<S>>,
  options: Pick<GrpcService, "withoutKey"> = {},
): GrpcService {
  return { service, implementation: implementation as Partial<ServiceImpl<DescService>>, ...options };
}
