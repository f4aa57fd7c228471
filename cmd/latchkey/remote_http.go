package main

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"net/http"
	"strings"
	"time"

	"latchkey/admin"
	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/proof"
	"latchkey/server/users/input"
	"latchkey/storage"
)

// remoteHTTP sends the requests of commands. Tokens and passwords never follow a redirect.
var remoteHTTP = &http.Client{
	Timeout:       2 * time.Minute,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// confirmed lets a change end any number of sessions: who calls the command has named what is to end.
var confirmed = admin.Confirm(math.MaxInt32)

// explainRemote returns the error that the service would have returned which the server asked. The words for the operator are then the same.
func explainRemote(err error) error {
	var p *admin.Problem
	if !errors.As(err, &p) {
		return err
	}
	switch {
	case p.Status == http.StatusNotFound && p.Detail != "" && strings.HasPrefix(p.Detail, "There is no such "):
		return fmt.Errorf("%w", storage.ErrNotFound)
	case p.Kind() == "exists":
		return fmt.Errorf("%w", storage.ErrExists)
	case p.Kind() == "no-secret":
		return registry.ErrNoSecret
	case p.Kind() == "not-again":
		return proof.ErrNotAgain
	case p.Kind() == "gone":
		return proof.ErrGone
	case p.Kind() == "elsewhere", p.Kind() == "case-variant", p.Kind() == "no-mail":
		return errors.New(strings.TrimSuffix(p.Detail, "."))
	case p.Status == http.StatusPreconditionFailed || p.Status == http.StatusConflict && p.Kind() == "":
		return fmt.Errorf("%w", storage.ErrConflict)
	case p.Status == http.StatusUnauthorized:
		return fmt.Errorf("%w Log in with `latchkey login --server URL`, or set another --token (LATCHKEY_TOKEN)", p)
	}
	return err
}

// explainRemoteUser is explainRemote for what is wrong with a user.
func explainRemoteUser(err error) error {
	var p *admin.Problem
	if !errors.As(err, &p) || p.Status != http.StatusUnprocessableEntity || len(p.Errors) == 0 {
		return explainRemote(err)
	}
	d := p.Errors[0]
	if name, ok := strings.CutPrefix(d.Location, "body."); ok {
		return &input.Error{Field: strings.ReplaceAll(name, "_", " "), Problem: "is not valid: " + d.Message}
	}
	field, problem, _ := strings.Cut(d.Message, " ")
	return &input.Error{Field: field, Problem: problem}
}

// explainRemoteClient is explainRemote for what is wrong with a client.
func explainRemoteClient(err error) error {
	var p *admin.Problem
	if !errors.As(err, &p) || p.Status != http.StatusUnprocessableEntity || len(p.Errors) == 0 {
		return explainRemote(err)
	}
	var all []error
	for _, d := range p.Errors {
		name := strings.TrimPrefix(d.Location, "body.")
		name, _, _ = strings.Cut(name, "[")
		all = append(all, clients.Invalid(name, "%s", d.Message))
	}
	return errors.Join(all...)
}

// mapped returns the views of the elements of a list. An error ends it.
func mapped[T, V any](elements iter.Seq2[T, error], view func(T) (V, error)) iter.Seq2[V, error] {
	return func(yield func(V, error) bool) {
		for t, err := range elements {
			var v V
			if err == nil {
				v, err = view(t)
			}
			if !yield(v, explainRemote(err)) || err != nil {
				return
			}
		}
	}
}

// explainedList returns what a server lists.
func explainedList[T any](elements iter.Seq2[T, error]) iter.Seq2[T, error] {
	return mapped(elements, func(element T) (T, error) { return element, nil })
}
