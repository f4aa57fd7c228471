package oauth_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"latchkey/clients"
	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

// renamed gives a client another id, as an earlier release allowed it.
type renamed struct {
	storage.Store
	id string
}

func (r renamed) CreateClient(ctx context.Context, c *storage.Client, e *storage.AuditEvent) error {
	if c.ID == "old" {
		c.ID = r.id
	}
	return r.Store.CreateClient(ctx, c, e)
}

// A client can't be taken for a user: RFC 9700 §4.15.
func TestA16SubjectsOfClientsAreNoUsers(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"814", "007", "8f14e45f-ceea-467f-a0e6-0123456789ab", "8F14E45FCEEA467FA0E60123456789AB"} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			s := servertest.New(t, servertest.Store(renamed{sqlitetest.SQLite(t), id}))
			reg := clients.Registration{ID: id, Metadata: clients.Metadata{GrantTypes: []string{"client_credentials"}}}
			var wrong *clients.MetadataError
			if _, _, err := s.Clients().Add(t.Context(), reg); !errors.As(err, &wrong) || wrong.Field != "client_id" {
				t.Errorf("a new client may have it: %v", err)
			}
			row, err := s.Store.Client(t.Context(), s.Backend.ID)
			if err != nil {
				t.Fatal(err)
			}
			row.ID = "old"
			if err := s.Store.CreateClient(t.Context(), row, nil); err != nil {
				t.Fatal(err)
			}
			c, err := s.Clients().Client(t.Context(), id)
			if err != nil || c.Subject() != "client:"+id {
				t.Fatalf("the subject of an existing client is %q (%v)", c.Subject(), err)
			}
		})
	}
	s := servertest.New(t)
	token := s.Token(s.Backend, "grant_type", "client_credentials").Expect(http.StatusOK).String("access_token")
	if sub := servertest.Claims(t, token)["sub"]; sub != s.Backend.ID || s.Introspect(s.Inspector, token).String("sub") != sub {
		t.Errorf("the subject is %v", sub)
	}
}

// Nor can a user be taken for a client: no subject of a user has the form of a client's.
func TestA16SubjectsOfUsersAreNoClients(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, subject := range []string{"client:814", "https://app.example/client.json", s.Backend.ID} {
		u, err := s.Users().Add(t.Context(), users.NewUser{Subject: subject, Username: "eve", Active: true})
		if err == nil {
			t.Errorf("a user has the subject %q: %+v", subject, u)
		}
	}
}
