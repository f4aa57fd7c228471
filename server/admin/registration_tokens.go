package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"

	wire "latchkey/admin"
	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/storage"
)

// registrationTokenRoutes declares the operations on initial access tokens.
func (a *API) registrationTokenRoutes() {
	const all, one = "/registration-tokens", "/registration-tokens/{id}"
	register(a, op("list-registration-tokens", http.MethodGet, all, scopeClientsRead, "List initial access tokens (RFC 7591)"), a.listRegistrationTokens)
	register(a, creation("add-registration-token", all, scopeClientsWrite, "Create an initial access token, which is only in this answer"), a.addRegistrationToken)
	register(a, op("show-registration-token", http.MethodGet, one, scopeClientsRead, "Show an initial access token", http.StatusNotFound), a.showRegistrationToken)
	register(a, op("remove-registration-token", http.MethodDelete, one, scopeClientsWrite,
		"Revoke an initial access token; the clients that were registered with it stay", http.StatusNotFound), a.removeRegistrationToken)
}

// newRegistrationToken is an initial access token to be created. Unlike the one of package latchkey/admin, which leaves 0 out, it can tell 0 from
// a member that is absent.
type newRegistrationToken struct {
	wire.NewRegistrationToken
	Uses *int `json:"uses,omitempty" minimum:"-1" maximum:"1000000000" doc:"How many clients can be registered with it; by default 1. -1 is no limit, and 0 is refused."`
}

// RegistrationTokenPath is the parameter that names an initial access token.
type RegistrationTokenPath struct {
	ID string `path:"id" format:"uuid" doc:"The id of the token, which is not the token."`
}

func (a *API) listRegistrationTokens(ctx context.Context, in *struct{ Paging }) (*listed[wire.RegistrationToken], error) {
	now := a.now()
	read := func(after storage.ID, limit int) ([]*storage.RegistrationToken, error) {
		return a.Clients.InitialTokens(ctx, after, limit)
	}
	return list(a, in.Paging, struct{ RegistrationTokens bool }{}, read, func(t *storage.RegistrationToken) storage.ID { return t.ID },
		plain(func(t *storage.RegistrationToken) wire.RegistrationToken { return registry.DescribeToken(t, now) }))
}

func (a *API) addRegistrationToken(ctx context.Context, in *adding[newRegistrationToken]) (*created[wire.RegistrationToken], error) {
	t, err := readRegistrationToken(in.Body)
	if err != nil {
		return nil, err
	}
	return maker[wire.RegistrationToken]{
		kind: "registration token", noun: "token", path: "/registration-tokens/",
		id:  func(t wire.RegistrationToken) string { return t.ID },
		tag: func(t wire.RegistrationToken) string { t.Token = ""; return etag(t) },
		create: func(ctx context.Context) (wire.RegistrationToken, error) {
			row, secret, err := a.registry(in.DryRun).AddInitialToken(ctx, t)
			if err != nil {
				return wire.RegistrationToken{}, err
			}
			body := registry.DescribeToken(row, a.now())
			if !in.DryRun {
				body.Token = secret.Reveal()
			}
			return body, nil
		},
		read: a.registrationToken,
	}.do(ctx, a, in.Creation, in.Body)
}

// readRegistrationToken returns the token that a body asks for.
func readRegistrationToken(b newRegistrationToken) (registry.InitialToken, error) {
	t := registry.InitialToken{Name: b.Name, Uses: 1}
	if b.Uses != nil {
		t.Uses = *b.Uses // AddInitialToken refuses 0
	}
	ttl, err := clients.ParseDuration(cmp.Or(b.TTL, "7d"))
	if err != nil {
		return t, clients.Invalid("ttl", "it must be %s", clients.Interval)
	}
	t.TTL = ttl.Std()
	t.Policy, err = readPolicy(b.Policy)
	return t, err
}

// readPolicy returns the policies of an object, whose members have exactly their names; none if there is no object.
func readPolicy(raw json.RawMessage) (clients.Policy, error) {
	var r clients.Registration
	if len(raw) == 0 {
		return r.Policy, nil
	}
	var members map[string]json.RawMessage
	err := json.Unmarshal(raw, &members)
	for name, value := range members {
		i := slices.IndexFunc(clients.Fields, func(f clients.Field) bool { return f.Policy && f.Name == name })
		if i < 0 || clients.Fields[i].Replace(&r, value) != nil {
			members = nil
			break
		}
	}
	if err != nil || members == nil {
		return clients.Policy{}, clients.Invalid("policy", "it must be an object with policies of clients")
	}
	return r.Policy, nil
}

// registrationToken looks for one among all: there are few.
func (a *API) registrationToken(ctx context.Context, text string) (wire.RegistrationToken, error) {
	id, err := storage.ParseID(text)
	if err != nil {
		return wire.RegistrationToken{}, storage.ErrNotFound
	}
	all := storage.Pages(
		func(t *storage.RegistrationToken) storage.ID { return t.ID },
		func(after storage.ID) ([]*storage.RegistrationToken, error) {
			return a.Clients.InitialTokens(ctx, after, storage.PageSize)
		},
	)
	for t, err := range all {
		if err != nil {
			return wire.RegistrationToken{}, err
		}
		if t.ID == id {
			return registry.DescribeToken(t, a.now()), nil
		}
	}
	return wire.RegistrationToken{}, storage.ErrNotFound
}

type shownRegistrationToken = shown[wire.RegistrationToken]

func (a *API) showRegistrationToken(ctx context.Context, in *struct{ RegistrationTokenPath }) (*shownRegistrationToken, error) {
	t, err := a.registrationToken(ctx, in.ID)
	return &shownRegistrationToken{t}, orNotFound(err, "token")
}

func (a *API) removeRegistrationToken(ctx context.Context, in *struct {
	RegistrationTokenPath
	Trial
},
) (*shownRegistrationToken, error) {
	out, err := a.showRegistrationToken(ctx, &struct{ RegistrationTokenPath }{in.RegistrationTokenPath})
	if err != nil || in.DryRun {
		return out, err
	}
	id, err := storage.ParseID(in.ID)
	if err == nil {
		err = a.Clients.RemoveInitialToken(ctx, id)
	}
	return out, orNotFound(err, "token")
}
