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

// maxLine bounds a password or a hash that is read; package users has the real limits.
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

// promptPassword asks for a new password twice, without showing it.
func (a *app) promptPassword(ctx context.Context) (storage.Secret, error) {
	if !isTerminal(a.stdin) {
		return "", usage("there is no terminal to ask for the password. Give it with --password-stdin: one line on standard input.")
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
	defer term.Restore(fd, before) // echo is back even when the person gives up in between
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

// await does not wait for a read any longer than ctx lasts: signals end ctx, and a blocked read can't be ended.
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
		return none, errors.New("given up")
	}
}
