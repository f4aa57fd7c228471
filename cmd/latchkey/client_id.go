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

// explainClient returns the error for the operator, with what to do about it.
func explainClient(err error, id string) error {
	if wrong := clients.Faults(err); len(wrong) > 0 {
		var found config.Faults
		for _, w := range wrong {
			found = append(found, config.Fault{Subject: flagOf(w.Field), Problem: "is not valid: " + w.Description, Remedy: "Nothing was changed."})
		}
		return found
	}
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("there is no client %q. List the clients with `latchkey client list`", id)
	case errors.Is(err, storage.ErrConflict):
		return fmt.Errorf("client %q was changed by someone else at the same time. Try again", id)
	case errors.Is(err, registry.ErrNoSecret):
		return fmt.Errorf("client %q has no secret: it is public, or authenticates with its own key (token_endpoint_auth_method)", id)
	}
	return err
}
