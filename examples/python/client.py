"""Triggers tasks, waits for results, cancels runs:  client.py run|trigger TASK [JSON]  or  client.py get|cancel RUN"""

import os, sys, time, uuid
from urllib.parse import urlsplit

import grpc
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_status import rpc_status
from runlane.v1.payload_pb2 import Payload
from runlane.v1.run_pb2 import RunState, TriggerItem
from runlane.v1.run_service_pb2 import CancelRunRequest, GetRunRequest, TriggerAndWaitRequest, TriggerTasksRequest
from runlane.v1.run_service_pb2_grpc import RunServiceStub

url = urlsplit(os.environ.get("RUNLANE_ADDRESS", "http://127.0.0.1:7400"))
metadata = [("authorization", f"Bearer {os.environ['RUNLANE_SECRET_KEY']}")]
options = [("grpc.keepalive_time_ms", 30_000)]  # So that a dead connection is noticed while we wait for a run.
if url.scheme == "https":
    service = RunServiceStub(grpc.secure_channel(url.netloc, grpc.ssl_channel_credentials(), options))
else:
    service = RunServiceStub(grpc.insecure_channel(url.netloc, options))


def detail(status, kind):
    """The detail of this kind, empty if there is none. `status` is a google.rpc.Status, or None."""
    found = kind()
    for packed in status.details if status else ():
        packed.Unpack(found)
    return found


def wait_or_raise(error):
    """Raises an error that a repeated call would meet again. Else waits as long as the server asks for."""
    if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        raise error
    status = rpc_status.from_call(error)
    delay = detail(status, RetryInfo).retry_delay.ToMilliseconds() / 1_000 or 1
    print(f"{error.code().name} {detail(status, ErrorInfo).reason}: {error.details()}: trying again in {delay} s", file=sys.stderr)
    time.sleep(delay)


def call(method, request):
    """Repeats the identical request until there is an answer. With its request id, nothing is done twice."""
    while True:
        try:
            return method(request, metadata=metadata, timeout=10)
        except grpc.RpcError as error:
            wait_or_raise(error)


def trigger_and_wait(item):
    """Triggers a run and returns it once it is final. It goes on when our stream breaks; we then ask after it every second."""
    request, run = TriggerAndWaitRequest(request_id=str(uuid.uuid4()), item=item), None
    while run is None:
        try:
            for response in service.TriggerAndWait(request, metadata=metadata):
                run = response.run
        except grpc.RpcError as error:
            wait_or_raise(error)
    while not run.HasField("finish_time"):
        time.sleep(1)
        run = call(service.GetRun, GetRunRequest(run_id=run.id)).run
    return run


if len(sys.argv) < 3:
    sys.exit(__doc__)
command, name, *rest = sys.argv[1:]
item = TriggerItem(task_id=name, payload=Payload(content_type="application/json", data="".join(rest).encode()))
try:
    if command == "trigger":
        [outcome] = call(service.TriggerTasks, TriggerTasksRequest(request_id=str(uuid.uuid4()), items=[item])).outcomes
        if outcome.HasField("error"):  # Items succeed or fail one by one.
            sys.exit(f"{detail(outcome.error, ErrorInfo).reason}: {outcome.error.message}")
        name = outcome.run_id
    elif command == "cancel":
        call(service.CancelRun, CancelRunRequest(run_id=name, reason="cancelled from Python"))
    run = trigger_and_wait(item) if command == "run" else call(service.GetRun, GetRunRequest(run_id=name)).run
    print(run.id, RunState.Name(run.state), run.output.data.decode() or run.failure.message)
except grpc.RpcError as error:
    sys.exit(f"{error.code().name} {detail(rpc_status.from_call(error), ErrorInfo).reason}: {error.details()}")
