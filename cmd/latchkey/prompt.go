package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"latchkey/storage"
)

// maxLine bounds the line that is read; package users limits passwords and hashes.
const maxLine = 64 << 10

// readLine reads one line without the newline that ends it (and the carriage return before that); spaces stay.
func (a *app) readLine(ctx context.Context) (storage.Secret, error) {
	return await(ctx, func() (storage.Secret, error) {
		line, err := bufio.NewReader(io.LimitReader(a.stdin, maxLine)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read standard input: %w", err)
		}
		if before, ended := strings.CutSuffix(line, "\n"); ended {
			line = strings.TrimSuffix(before, "\r")
		}
		return storage.Secret(line), nil
	})
}

// promptPassword reads a new password twice from the terminal, without echo.
func (a *app) promptPassword(ctx context.Context) (storage.Secret, error) {
	if !isTerminal(a.stdin) {
		return "", usage("standard input is not a terminal, so the password can't be read from it. Use --password-stdin and write the password as one line.")
	}
	first, err := a.ask(ctx, "Password: ")
	if err != nil {
		return "", err
	}
	second, err := a.ask(ctx, "Again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ. Nothing was changed; try again")
	}
	return first, nil
}

func (a *app) ask(ctx context.Context, question string) (storage.Secret, error) {
	fd := int(a.stdin.(*os.File).Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	defer term.Restore(fd, before) // turns the echo on again even if the user interrupts
	defer fmt.Fprintln(a.stderr)
	fmt.Fprint(a.stderr, question)
	return await(ctx, func() (storage.Secret, error) {
		typed, err := term.ReadPassword(fd)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return storage.Secret(typed), nil
	})
}

// await waits for a read until ctx ends, as it does at a signal, because a blocked read can't be interrupted.
func await[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := read()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, errors.New("cancelled")
	}
}
