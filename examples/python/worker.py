"""A Runlane worker: runs the coroutines of tasks.py. What it does, and why, is in docs/worker-protocol.md."""

import asyncio, faulthandler, functools, itertools, json, operator, os, random, sys, time, traceback, uuid
from urllib.parse import urlsplit

import grpc
from runlane.v1.payload_pb2 import FAILURE_KIND_ERROR, FAILURE_KIND_INTERNAL, Failure, Payload
from runlane.v1.worker_service_pb2 import AttemptFailure, AttemptResult, Decline, HeldAttempt, HeldList, Heartbeat, Hello, TaskDeclaration, WorkRequest
from runlane.v1.worker_service_pb2_grpc import WorkerServiceStub
from tasks import BUILD_ID, TASKS
FINAL = {grpc.StatusCode[name] for name in ("ABORTED", "INVALID_ARGUMENT", "PERMISSION_DENIED", "UNAUTHENTICATED", "UNIMPLEMENTED")}


class Worker:
    """Holds the session with the server: one stream after the other, heartbeats, the lease."""
    def __init__(self):
        self.hello = Hello(protocol_revision=1, worker_id=str(uuid.uuid4()), incarnation=time.time_ns() // 1_000_000, slots=10, build_id=BUILD_ID)
        self.hello.tasks.extend(TaskDeclaration(id=id, file_path="tasks.py") for id in TASKS)
        self.held = {}  # By token: "running", "canceling", or the frame to be repeated until the receipt comes.
        self.running = {}  # By token: the asyncio.Task, until it has ended.
        self.session_id, self.assignment_sequence, self.interval, self.lease, self.failures = "", 0, 1, 10, 0

    async def work(self):
        self.loop, self.welcomed = asyncio.get_running_loop(), False
        self.lease_timer = self.loop.call_soon(self.beat)
        while True:
            try:
                await self.stream()
            except (grpc.aio.AioRpcError, TimeoutError) as error:
                if isinstance(error, grpc.aio.AioRpcError) and error.code() in FINAL:
                    raise
                print("connecting again:", repr(error), file=sys.stderr)
            await asyncio.sleep(random.uniform(0.05, 0.1) * 2 ** min(self.failures, 5))

    async def stream(self):
        url, metadata = urlsplit(os.environ["RUNLANE_ADDRESS"]), [("authorization", "Bearer " + os.environ["RUNLANE_SECRET_KEY"])]
        options = [("grpc.use_local_subchannel_pool", 1)]  # Else a connection that has fallen silent would be used again.
        secure = functools.partial(grpc.aio.secure_channel, credentials=grpc.ssl_channel_credentials())
        async with (secure if url.scheme == "https" else grpc.aio.insecure_channel)(url.netloc, options=options) as channel:
            self.frames, self.heartbeats, self.greeted_at, self.sequence, self.failures = asyncio.Queue(), {}, None, 0, self.failures + 1
            stream = WorkerServiceStub(channel).Work((await self.frames.get() for _ in itertools.count()), metadata=metadata)
            self.greet()
            while (frame := await asyncio.wait_for(stream.read(), self.lease / 3)) and not frame.HasField("drain"):
                self.receive(frame)

    def say(self, frame):
        if self.welcomed:  # What matters is held, and is said (again) after the next Welcome.
            self.frames.put_nowait(frame)

    def greet(self):
        self.welcomed, self.greeted_at = False, self.greeted_at or self.loop.time()
        del self.hello.held[:]
        self.hello.held.extend(HeldAttempt(token=token) for token in self.held)
        self.frames.put_nowait(WorkRequest(hello=self.hello))

    def receive(self, frame):
        if frame.hello_again:
            self.greet()
        elif frame.HasField("welcome"):
            self.welcome(frame.welcome)
        if not self.welcomed:
            return
        for assignment in frame.assignments:
            self.take(assignment.token, assignment)
        for token in [receipt.token for receipt in frame.receipts] + list(frame.lost):
            self.held.pop(token, None)
            self.stop(token)
        for token in [cancel.token for cancel in frame.cancels]:
            if token not in self.running:
                self.say(WorkRequest(cancel_confirmed=[token]))
            elif self.held.get(token) == "running":
                self.held[token] = "canceling"
                self.stop(token)
        if frame.heartbeat.sequence in self.heartbeats:
            self.renew(self.heartbeats.pop(frame.heartbeat.sequence))
        if frame.heartbeat.list_held:
            held = [HeldAttempt(token=token) for token in self.held]
            self.say(WorkRequest(held_list=HeldList(assignment_sequence=self.assignment_sequence, held=held)))

    def welcome(self, welcome):
        if welcome.session_id != self.session_id:
            self.session_id, self.assignment_sequence = welcome.session_id, 0
        self.interval, self.lease = welcome.heartbeat_interval.ToMilliseconds() / 1_000, welcome.lease_duration.ToMilliseconds() / 1_000
        self.renew(self.greeted_at)
        self.welcomed, self.greeted_at, self.failures = True, None, 0
        for frame in [frame for frame in self.held.values() if isinstance(frame, WorkRequest)]:
            self.say(frame)

    def take(self, token, assignment):
        self.assignment_sequence = max(self.assignment_sequence, assignment.sequence)
        if assignment.task_id not in TASKS:
            return self.say(WorkRequest(declined=[Decline(token=token, reason="this worker has no such task")]))
        if token not in self.held:
            self.held[token], self.running[token] = "running", asyncio.create_task(self.run(token, assignment))
        self.say(WorkRequest(accepted=[token]))

    async def run(self, token, assignment):
        code, result = "TASK_INPUT_ERROR", AttemptResult(token=token)
        try:
            if assignment.payload.reference:
                raise NotImplementedError("payloads over 128 KiB; PayloadService.GetPayload would read them")
            payload = json.loads(assignment.payload.data or "null")
            code = ""
            value = await TASKS[assignment.task_id](payload)
            code = "TASK_OUTPUT_ERROR"
            data = b"" if value is None else json.dumps(value, allow_nan=False).encode()
            if len(data) > 131_072:
                raise ValueError("the output has more than 128 KiB")
            result.output.MergeFrom(Payload(content_type="application/json", data=data))
        except BaseException as error:
            stalled = asyncio.current_task().cancelling() > 0  # Or it was cancelled, or lost; then nobody hears of this.
            code = "TASK_RUN_STALLED_EXECUTING" if stalled else code
            trace = "".join(traceback.format_exception(error, limit=-50))[-32_000:].encode(errors="replace")
            failure = Failure(kind=FAILURE_KIND_INTERNAL if code else FAILURE_KIND_ERROR, code=code, name=type(error).__name__, stack_trace=trace)
            failure.message = str(error)[:1_000].encode(errors="replace")
            result.failure.MergeFrom(AttemptFailure(failure=failure, process_lost=stalled))
            if not code:
                result.failure.retry_delay.FromMilliseconds(int(1_000 * min(60, 2 ** (assignment.attempt_number - 1) * random.uniform(1, 2))))
        del self.running[token]
        if token in self.held:
            self.held[token] = WorkRequest(cancel_confirmed=[token]) if self.held[token] == "canceling" else WorkRequest(results=[result])
            self.say(self.held[token])

    def stop(self, token):
        if token in self.running:
            self.loop.call_soon(self.running[token].cancel)  # Not at once: a coroutine that is cancelled before it begins never begins.

    def beat(self):
        self.loop.call_later(self.interval, self.beat)
        if self.welcomed:
            self.sequence += 1
            self.heartbeats[self.sequence] = self.loop.time()
            digest = functools.reduce(operator.xor, (int.from_bytes(token[-8:], "big") for token in self.held), 0)
            heartbeat = Heartbeat(sequence=self.sequence, assignment_sequence=self.assignment_sequence, held_count=len(self.held), held_digest=digest)
            self.say(WorkRequest(heartbeat=heartbeat))

    def renew(self, sent_at):
        """Code is told to stop 1.5 s before the lease ends. If some still runs a second later, the whole worker ends."""
        left = sent_at + self.lease - self.loop.time()
        self.lease_timer.cancel()
        self.lease_timer = self.loop.call_later(left - 1.5, self.end_lease)
        faulthandler.dump_traceback_later(max(left - 0.5, 0.001), exit=True)

    def end_lease(self):
        for token in self.running:
            self.stop(token)
        self.lease_timer = self.loop.call_later(0.9, lambda: self.running or faulthandler.cancel_dump_traceback_later())


asyncio.run(Worker().work())
