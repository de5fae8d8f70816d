import { Metadata } from "@grpc/grpc-js";

/** gRPC's metadata as Connect's handlers read it. */
export function headersOf(metadata: Metadata): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(metadata.toHttp2Headers())) {
    for (const value of Array.isArray(values) ? values : [values]) if (value !== undefined) headers.append(name, String(value));
  }
  return headers;
}

/** Headers that a handler has set, as gRPC's metadata; undefined if there are none, which is the rule. */
export function metadataOf(headers: Headers | undefined): Metadata | undefined {
  let metadata: Metadata | undefined;
  headers?.forEach((value, name) => {
    metadata ??= new Metadata();
    metadata.add(name, name.endsWith("-bin") ? Buffer.from(value, "base64") : value);
  });
  return metadata;
}
