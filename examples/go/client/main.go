// Command client triggers tasks, waits for results and cancels runs: client run|trigger TASK [JSON], or client get|cancel RUN.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	pb "example.com/client/gen/runlane/v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// triggerAndWait triggers a run and returns it once it is final. The run goes on when our stream breaks; we then ask after it every second.
func triggerAndWait(ctx context.Context, runs pb.RunServiceClient, item *pb.TriggerItem) (run *pb.Run, err error) {
	request := &pb.TriggerAndWaitRequest{RequestId: rand.Text(), Item: item}
	for run == nil {
		stream, err := runs.TriggerAndWait(ctx, request)
		for err == nil {
			var response *pb.TriggerAndWaitResponse
			if response, err = stream.Recv(); err == nil {
				run = response.Run
			}
		}
		if !errors.Is(err, io.EOF) && !worthRepeating(err) {
			return nil, err
		}
	}
	for run.FinishTime == nil {
		time.Sleep(time.Second)
		response, err := call(ctx, runs.GetRun, &pb.GetRunRequest{RunId: run.Id})
		if err != nil {
			return nil, err
		}
		run = response.Run
	}
	return run, nil
}

// perform carries out a command and returns the run that it is about.
func perform(ctx context.Context, runs pb.RunServiceClient, command, name, payload string) (*pb.Run, error) {
	item := &pb.TriggerItem{TaskId: name, Payload: &pb.Payload{ContentType: "application/json", Data: []byte(payload)}}
	switch command {
	case "run":
		return triggerAndWait(ctx, runs, item)
	case "cancel":
		response, err := call(ctx, runs.CancelRun, &pb.CancelRunRequest{RunId: name, Reason: "cancelled from Go"})
		return response.GetRun(), err
	case "trigger":
		response, err := call(ctx, runs.TriggerTasks, &pb.TriggerTasksRequest{RequestId: rand.Text(), Items: []*pb.TriggerItem{item}})
		if err == nil { // Items succeed or fail one by one.
			err = status.ErrorProto(response.Outcomes[0].GetError())
		}
		if err != nil {
			return nil, err
		}
		name = response.Outcomes[0].GetRunId()
	}
	response, err := call(ctx, runs.GetRun, &pb.GetRunRequest{RunId: name})
	return response.GetRun(), err
}

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: client run|trigger TASK [JSON], or client get|cancel RUN")
	}
	connection, err := connect(os.Getenv("RUNLANE_ADDRESS"))
	if err != nil {
		log.Fatal(err)
	}
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+os.Getenv("RUNLANE_SECRET_KEY"))
	run, err := perform(ctx, pb.NewRunServiceClient(connection), os.Args[1], os.Args[2], append(os.Args, "")[3])
	if err != nil {
		reason, _ := details(status.Convert(err))
		log.Fatalf("%v %s: %s", status.Code(err), reason, status.Convert(err).Message())
	}
	fmt.Println(run.Id, run.State, string(run.GetOutput().GetData())+run.GetFailure().GetMessage())
}
