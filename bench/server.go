package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"latchkey/latchkeytest"
)

// configuration returns the settings of the server besides its addresses, its database and its secret. Everything else is the
// default, including the cost of passwords.
func configuration() []string {
	return []string{"LATCHKEY_LOGIN_THROTTLE=off", "LATCHKEY_LOG_LEVEL=error"}
}

func newServer(binary, folder, database string) (*latchkeytest.Instance, error) {
	return latchkeytest.NewInstance(latchkeytest.Config{
		Binary: binary, Folder: folder, Database: database,
		Env: append(configuration(), "LATCHKEY_SECRET=a secret of the benchmark, good for nothing else"),
	})
}

// start starts the server and returns how long it took to become ready.
func start(ctx context.Context, s *latchkeytest.Instance) (time.Duration, error) {
	began := time.Now()
	err := s.Start(ctx, "serve")
	return time.Since(began), err
}

// stop stops the server and prints what went wrong.
func stop(s *latchkeytest.Instance) {
	if err := s.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	if log := s.Log(); log != "" {
		fmt.Fprintln(os.Stderr, "bench: the server logged:", log)
	}
}
