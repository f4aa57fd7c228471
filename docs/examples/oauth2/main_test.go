package main

import (
	"testing"

	"latchkey/clients"
	"latchkey/server/servertest"
)

// The program that the README shows works, unmodified, against a server.
func TestExample(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	app := s.AddClient(clients.Registration{ID: "demo-client", Metadata: clients.Metadata{
		GrantTypes: []string{clients.GrantPassword, clients.GrantRefreshToken}, TokenEndpointAuthMethod: clients.AuthNone,
	}})
	if err := run(t.Context(), s.URL, app.ID, servertest.Username, servertest.Password); err != nil {
		t.Fatal(err)
	}
}
