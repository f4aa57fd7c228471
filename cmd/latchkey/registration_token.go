package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"latchkey/admin"
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

// unlimited is the value of --uses that is not a number.
const unlimited = "unlimited"

type registrationTokenAddCmd struct {
	Name        string `help:"Purpose of the token." placeholder:"TEXT"`
	Uses        string `default:"1" help:"Number of clients that can be registered with it, or unlimited." placeholder:"N"`
	TTL         string `name:"ttl" default:"7d" help:"Lifetime of the token." placeholder:"DURATION"`
	clientFlags `fields:"policies"`
	rootFlags
}

func (c *registrationTokenAddCmd) Help() string {
	return "Every client that is registered with the token gets these policies; it can't choose its own."
}

func (c *registrationTokenAddCmd) Run(ctx context.Context, a *app) error {
	a.mayCreate = true
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
	service, err := a.clients(ctx)
	if err != nil {
		return err
	}
	added, secret, err := service.AddInitialToken(ctx, token)
	if err != nil {
		return explainClient(err, "")
	}
	shown := registry.DescribeToken(added, a.now())
	shown.Token = secret.Reveal()
	return a.printJSON(shown)
}

type registrationTokenListCmd struct{ rootFlags }

func (c *registrationTokenListCmd) Run(ctx context.Context, a *app) error {
	a.reading = true
	return list[admin.RegistrationToken]{
		a, c.JSON, "tokens",
		[]string{"ID", "NAME", "USES LEFT", "STATE", "POLICY", "CREATED", "EXPIRES"},
		func(t admin.RegistrationToken) []string {
			uses := unlimited
			if t.Uses != nil {
				uses = strconv.Itoa(*t.Uses)
			}
			return []string{t.ID, t.Name, uses, t.State, string(t.Policy), when(t.CreatedAt), when(t.ExpiresAt)}
		},
	}.print(a.everyRegistrationToken(ctx))
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
	service, err := a.clients(ctx)
	if err != nil {
		return err
	}
	err = service.RemoveInitialToken(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("there is no initial access token %s. %s", id, list)
	}
	if err != nil {
		return err
	}
	return a.confirm(c.JSON, map[string]string{"id": id.String()}, "removed initial access token %s", id.String())
}
