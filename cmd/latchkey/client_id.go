package main

import (
	"errors"
	"fmt"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/cmd/latchkey/internal/config"
	"latchkey/storage"
)

// clientID is the argument that names a client.
type clientID struct {
	ID string `arg:"" name:"client-id" help:"The client's id."`
}

// faultsOf returns the faults of the fields that an error names. subject returns how the command calls a field.
func faultsOf(err error, subject func(field string) string) (found config.Faults) {
	for _, f := range clients.Faults(err) {
		found = append(found, config.Fault{Subject: subject(f.Field), Problem: "is not valid: " + f.Description, Remedy: "Nothing was changed."})
	}
	return found
}

// explainClient returns the error for the operator, with what to do about it.
func explainClient(err error, id string) error {
	found := faultsOf(err, flagOf)
	switch {
	case len(found) > 0:
		return found
	case errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("there is no client %q. List the clients with `latchkey client list`", id)
	case errors.Is(err, storage.ErrConflict):
		return fmt.Errorf("client %q was changed by someone else at the same time. Try again", id)
	case errors.Is(err, registry.ErrNoSecret):
		return fmt.Errorf("client %q has no secret: it is public, or authenticates with its own key (token_endpoint_auth_method)", id)
	}
	return err
}
