package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/alecthomas/kong"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/storage"
)

type registrationTokenCmd struct {
	Add    registrationTokenAddCmd    `cmd:"" help:"Make an initial access token (RFC 7591), shown this once."`
	List   registrationTokenListCmd   `cmd:"" help:"List the initial access tokens."`
	Remove registrationTokenRemoveCmd `cmd:"" help:"Make an initial access token good for nothing; the clients that it made stay."`
}

// registrationToken is an initial access token as the commands print it.
type registrationToken struct {
	ID string `json:"id"`
	// Token is shown when it is made.
	Token string `json:"registration_token,omitempty"`
	Name  string `json:"name"`
	// Uses is how many clients may still be registered with it; null = without limit.
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

// unlimited is what --uses takes besides numbers.
const unlimited = "unlimited"

type registrationTokenAddCmd struct {
	Name string `help:"Whom or what it is for." placeholder:"TEXT"`
	Uses string `default:"1" help:"How many clients may be registered with it, or unlimited." placeholder:"N"`
	TTL  string `name:"ttl" default:"7d" help:"How long it is good." placeholder:"DURATION"`
	clientFlags
	JSON    bool         `help:"Print JSON, which this command always does."`
	Options kong.Plugins `embed:""`
}

func (c *registrationTokenAddCmd) Help() string {
	return "The policy is that of every client that is registered with the token; the client can't choose one."
}

func (c *registrationTokenAddCmd) Run(ctx context.Context, a *app) error {
	token := registry.InitialToken{Name: c.Name, Uses: -1}
	var ttl clients.Duration
	found := setDuration(&ttl, "--ttl", c.TTL)
	token.TTL = ttl.Std()
	if c.Uses != unlimited {
		uses, err := strconv.Atoi(c.Uses)
		if err != nil || uses < 1 {
			found = append(found, fault{fmt.Sprintf("--uses: %q", c.Uses), "is not a number from 1", "Write it in digits, or unlimited."})
		}
		token.Uses = uses
	}
	var reg clients.Registration
	found = append(found, c.apply(&reg)...)
	token.Policy = reg.Policy
	if len(found) > 0 {
		return found
	}
	registry, store, err := a.registry(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	added, secret, err := registry.AddInitialToken(ctx, token)
	if err != nil {
		return explainClient(err, "")
	}
	shown := describeRegistrationToken(added, a.now())
	shown.Token = secret.Reveal()
	return a.printJSON(shown)
}

type registrationTokenListCmd struct {
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *registrationTokenListCmd) Run(ctx context.Context, a *app) error {
	registry, store, err := a.registry(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	now := a.now()
	headings := []string{"ID", "NAME", "USES LEFT", "STATE", "POLICY", "CREATED", "EXPIRES"}
	l := listing(a, c.JSON, "tokens", headings, func(t registrationToken) []string {
		uses := unlimited
		if t.Uses != nil {
			uses = strconv.Itoa(*t.Uses)
		}
		return []string{t.ID, t.Name, uses, t.State, string(t.Policy), when(t.CreatedAt), when(t.ExpiresAt)}
	})
	var after storage.ID
	for {
		page, err := registry.InitialTokens(ctx, after, pageSize)
		if err != nil {
			return err
		}
		for _, t := range page {
			if err := l.add(describeRegistrationToken(t, now)); err != nil {
				return err
			}
			after = t.ID
		}
		if len(page) < pageSize {
			return l.end()
		}
	}
}

type registrationTokenRemoveCmd struct {
	ID      string       `arg:"" name:"id" help:"The token's id, as the list shows it."`
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *registrationTokenRemoveCmd) Run(ctx context.Context, a *app) error {
	const list = "`latchkey registration-token list` shows them"
	id, err := storage.ParseID(c.ID)
	if err != nil {
		return usage("this is not the id of an initial access token. " + list + ".") // it may be the token itself
	}
	registry, store, err := a.registry(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	err = registry.RemoveInitialToken(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("there is no initial access token %s. %s", id, list)
	}
	if err != nil {
		return err
	}
	return a.confirm(c.JSON, map[string]string{"id": id.String()}, "initial access token %s is removed", id.String())
}
