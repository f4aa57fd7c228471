// Command cluster starts a throw-away Postgres, runs a command with LATCHKEY_TEST_DATABASE_URL naming it, and removes it
// again: one cluster for all the test processes of `go test ./...`.
//
//	go run ./storage/postgres/postgrestest/cluster -- go test ./...
//
// With -durable it keeps its data on the disk, with fsync on, as measurements want it. A server that
// LATCHKEY_TEST_DATABASE_URL names already is used as it is.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"latchkey/storage/postgres/postgrestest"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	durable := len(args) > 0 && args[0] == "-durable"
	if durable {
		args = args[1:]
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: cluster [-durable] [--] command [argument …]")
		return 2
	}
	url := os.Getenv("LATCHKEY_TEST_DATABASE_URL")
	if url == "" {
		c, stop, err := postgrestest.Shared(durable)
		if err != nil {
			fmt.Fprintln(os.Stderr, "cluster:", err)
			return 1
		}
		defer stop()
		url = c.URL()
	}
	// The terminal's signals reach the command too; it ends by itself, and then the cluster is removed.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "LATCHKEY_TEST_DATABASE_URL="+url)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		return 1
	}
	go func() {
		for s := range signals {
			cmd.Process.Signal(s)
		}
	}()
	err := cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() >= 0 {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		return 1
	}
	return 0
}
