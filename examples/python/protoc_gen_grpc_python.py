"""A plugin for buf: the generator of gRPC code for Python, which grpcio-tools has built in and offers as no program of its own."""

import sys
import tempfile
from pathlib import Path

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

request = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
response = CodeGeneratorResponse(supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL)
with tempfile.TemporaryDirectory() as folder:
    descriptors = Path(folder, "descriptors.binpb")
    descriptors.write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
    generated = Path(folder, "generated")
    generated.mkdir()
    if protoc.main(["protoc", f"--descriptor_set_in={descriptors}", f"--grpc_python_out={generated}", *request.file_to_generate]) != 0:
        sys.exit("the generator of gRPC code has failed; what it said is above")
    for file in sorted(generated.rglob("*.py")):
        response.file.add(name=file.relative_to(generated).as_posix(), content=file.read_text())
sys.stdout.buffer.write(response.SerializeToString())
