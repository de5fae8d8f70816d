package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// connect prepares a connection to the server at an address like http://127.0.0.1:7400 or https://runlane.example.com:7400.
func connect(address string) (*grpc.ClientConn, error) {
	at, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	security := insecure.NewCredentials()
	if at.Scheme == "https" {
		security = credentials.NewTLS(nil)
	}
	// So that a dead connection is noticed while we wait for a run.
	alive := keepalive.ClientParameters{Time: 30 * time.Second}
	return grpc.NewClient(at.Host, grpc.WithTransportCredentials(security), grpc.WithKeepaliveParams(alive))
}

// call repeats the identical request until there is an answer, or an error that it would meet again. With its request id, nothing is done twice.
func call[Request, Response any](
	ctx context.Context, method func(context.Context, Request, ...grpc.CallOption) (Response, error), request Request,
) (Response, error) {
	for {
		limited, cancel := context.WithTimeout(ctx, 10*time.Second)
		response, err := method(limited, request)
		cancel()
		if !worthRepeating(err) {
			return response, err
		}
	}
}

// worthRepeating waits as long as the server asks for and answers true if the call makes sense then.
func worthRepeating(err error) bool {
	if code := status.Code(err); code != codes.Unavailable && code != codes.DeadlineExceeded {
		return false
	}
	reason, delay := details(status.Convert(err))
	fmt.Fprintf(os.Stderr, "%s %v: trying again in %v\n", reason, err, delay)
	time.Sleep(delay)
	return true
}

// details returns the stable reason of an error, and how long to wait before a repetition: a second if the server says nothing.
func details(refused *status.Status) (reason string, delay time.Duration) {
	delay = time.Second
	for _, detail := range refused.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			reason = detail.Reason
		case *errdetails.RetryInfo:
			delay = detail.RetryDelay.AsDuration()
		}
	}
	return reason, delay
}
