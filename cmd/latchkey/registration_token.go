package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/cmd/latchkey/internal/config"
	"latchkey/storage"
)

type registrationTokenCmd struct {
	Add    registrationTokenAddCmd    `cmd:"" help:"Create an initial access token (RFC 7591), which is only shown this once."`
	List   registrationTokenListCmd   `cmd:"" help:"List the initial access tokens."`
	Remove registrationTokenRemoveCmd `cmd:"" help:"Revoke an initial access token; the clients that were registered with it stay."`
}

// registrationToken is an initial access token in the form that commands print.
type registrationToken struct {
	ID string `json:"id"`
	// Token is only shown when it is created.
	Token string `json:"registration_token,omitempty"`
	Name  string `json:"name"`
	// Uses is the number of clients that can still be registered with it; null if unlimited.
	Uses      *int            `json:"uses"`
	Policy    json.RawMessage `json:"policy"`
	State     string          `json:"state"`
	CreatedAt time.Time       `json:"created_at"`
	ExpiresAt time.Time       `json:"expires_at"`
}

func describeRegistrationToken(t *storage.RegistrationToken, now time.Time) registrationToken {
	shown := registrationToken{
		ID: t.ID.String(), Name: t.Name, Policy: t.Policy, State: "good", CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt,
	}
	if len(shown.Policy) == 0 {
		shown.Policy = json.RawMessage("{}")
	}
	if t.Uses >= 0 {
		shown.Uses = &t.Uses
	}
	switch {
	case !now.Before(t.ExpiresAt):
		shown.State = "expired"
	case t.Uses == 0:
		shown.State = "used up"
	}
	return shown
}

// unlimited is the value of --uses that is not a number.
const unlimited = "unlimited"

type registrationTokenAddCmd struct {
	Name string `help:"Purpose of the token." placeholder:"TEXT"`
	Uses string `default:"1" help:"Number of clients that can be registered with it, or unlimited." placeholder:"N"`
	TTL  string `name:"ttl" default:"7d" help:"Lifetime of the token." placeholder:"DURATION"`
	clientFlags
	rootFlags
}

func (c *registrationTokenAddCmd) Help() string {
	return "Every client that is registered with the token gets these policies; it can't choose its own."
}

func (c *registrationTokenAddCmd) Run(ctx context.Context, a *app) error {
	token := registry.InitialToken{Name: c.Name, Uses: -1}
	var ttl clients.Duration
	found := setDuration(&ttl, "--ttl", c.TTL)
	token.TTL = ttl.Std()
	if c.Uses != unlimited {
		uses, err := strconv.Atoi(c.Uses)
		if err != nil || uses < 1 {
			found = append(found, config.Fault{Subject: fmt.Sprintf("--uses: %q", c.Uses), Problem: "is not a positive number", Remedy: "Write it in digits, or unlimited."})
		}
		token.Uses = uses
	}
	var reg clients.Registration
	found = append(found, c.apply(&reg)...)
	token.Policy = reg.Policy
	if len(found) > 0 {
		return found
	}
	registry, err := a.registry(ctx)
	if err != nil {
		return err
	}
	added, secret, err := registry.AddInitialToken(ctx, token)
	if err != nil {
		return explainClient(err, "")
	}
	shown := describeRegistrationToken(added, a.now())
	shown.Token = secret.Reveal()
	return a.printJSON(shown)
}

type registrationTokenListCmd struct{ rootFlags }

func (c *registrationTokenListCmd) Run(ctx context.Context, a *app) error {
	registry, err := a.registry(ctx)
	if err != nil {
		return err
	}
	now := a.now()
	return list[*storage.RegistrationToken, registrationToken]{
		"tokens",
		[]string{"ID", "NAME", "USES LEFT", "STATE", "POLICY", "CREATED", "EXPIRES"},
		func(t registrationToken) []string {
			uses := unlimited
			if t.Uses != nil {
				uses = strconv.Itoa(*t.Uses)
			}
			return []string{t.ID, t.Name, uses, t.State, string(t.Policy), when(t.CreatedAt), when(t.ExpiresAt)}
		},
		func(t *storage.RegistrationToken) (registrationToken, error) {
			return describeRegistrationToken(t, now), nil
		},
	}.print(a, c.JSON, pages(
		func(t *storage.RegistrationToken) storage.ID { return t.ID },
		func(after storage.ID) ([]*storage.RegistrationToken, error) {
			return registry.InitialTokens(ctx, after, pageSize)
		},
	))
}

type registrationTokenRemoveCmd struct {
	ID string `arg:"" name:"id" help:"Id of the token, as in the list."`
	rootFlags
}

func (c *registrationTokenRemoveCmd) Run(ctx context.Context, a *app) error {
	const list = "List the tokens with `latchkey registration-token list`"
	id, err := storage.ParseID(c.ID)
	if err != nil {
		return usage("the argument is not the id of an initial access token. " + list + ".") // it may be the token itself
	}
	registry, err := a.registry(ctx)
	if err != nil {
		return err
	}
	err = registry.RemoveInitialToken(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("there is no initial access token %s. %s", id, list)
	}
	if err != nil {
		return err
	}
	return a.confirm(c.JSON, map[string]string{"id": id.String()}, "removed initial access token %s", id.String())
}
