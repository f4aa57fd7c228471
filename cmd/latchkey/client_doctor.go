package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"latchkey/clients"
	"latchkey/storage"
)

type clientDoctorCmd struct {
	clientID
	Limit int `default:"20" help:"Maximum number of refusals." placeholder:"N"`
	rootFlags
}

func (c *clientDoctorCmd) Help() string {
	return "Changes nothing. Many refusals at once are not all kept; the log has one line for each."
}

// refusal is a refused request, as the command prints it.
type refusal struct {
	At      time.Time `json:"at"`
	Reason  string    `json:"reason"`
	Address string    `json:"address,omitempty"`
	Request string    `json:"request_id,omitempty"`
	refusalDetails
	Hint string `json:"hint"`
}

// actionRefused and refusalDetails are the action and the details of the events that the server writes; see package audit.
const actionRefused = "client_refused"

type refusalDetails struct {
	Error       string   `json:"error"`
	Description string   `json:"description,omitempty"`
	RedirectURI string   `json:"redirect_uri,omitempty"`
	Nearest     string   `json:"nearest_registered,omitempty"`
	Audience    []string `json:"audience,omitempty"`
}

func (c *clientDoctorCmd) Run(ctx context.Context, a *app) error {
	if c.Limit < 1 {
		return usage("--limit must be at least 1.")
	}
	registry, err := a.registry(ctx)
	if err != nil {
		return err
	}
	client, err := registry.Client(ctx, c.ID)
	if err != nil {
		return explainClient(err, c.ID)
	}
	events, err := a.store.ListAudit(ctx, storage.AuditFilter{ClientID: c.ID, Action: actionRefused, Limit: c.Limit})
	if err != nil {
		return err
	}
	refusals := make([]refusal, len(events))
	for i, e := range events {
		r := refusal{At: e.At, Reason: e.Reason, Address: e.Address, Request: e.RequestID}
		_ = json.Unmarshal(e.Details, &r.refusalDetails) // details of a later release may be others
		r.Hint = hint(client, &r)
		refusals[i] = r
	}
	if c.JSON {
		return a.printJSON(map[string]any{"client_id": c.ID, "disabled": client.Disabled, "refusals": refusals})
	}
	return a.printRefusals(client, refusals)
}

func (a *app) printRefusals(client *clients.Client, refusals []refusal) error {
	if client.Disabled {
		fmt.Fprintf(a.stdout, "The client is disabled.\n  → Enable it: latchkey client enable %s\n", client.ID)
	}
	if len(refusals) == 0 {
		_, err := fmt.Fprintf(a.stdout, "No request of client %s was refused of late. "+
			"Requests with another client_id are not here: look for \"refused\" in the server's log.\n", client.ID)
		return err
	}
	for _, r := range refusals {
		fmt.Fprintf(a.stdout, "%s  %s  %s  %s\n", when(r.At), r.Error, r.Reason, r.Address)
		for _, line := range [][2]string{
			{"said", r.Description}, {"arrived", r.RedirectURI}, {"registered", r.Nearest}, {"audience", strings.Join(r.Audience, " ")}, {"→", r.Hint},
		} {
			if line[1] != "" {
				fmt.Fprintf(a.stdout, "  %-10s %s\n", line[0], printable(line[1]))
			}
		}
	}
	return nil
}

// hint returns what the operator can do about a refusal.
func hint(c *clients.Client, r *refusal) string {
	update := "latchkey client update " + c.ID + " "
	switch {
	case r.Reason == "redirect_uri_not_registered":
		return "If the address that arrived is the application's, register it beside the others: " + update +
			"--redirect-uri URI --redirect-uri URI … Otherwise set the registered one in the application."
	case r.Reason == "post_logout_redirect_uri_not_registered":
		return "If the address that arrived is the application's, register it beside the others: " + update + "--post-logout-redirect-uri URI …"
	case r.Error == "token_not_visible":
		return "If the client is the resource server of this audience: " + update + "--resource AUDIENCE. If it may see every token: " + update + "--introspect-all"
	case r.Error == "invalid_client":
		return invalidClientHint(c, r.Reason)
	case r.Error == "invalid_scope":
		return "The client may ask for: " + c.Scope + ". Add what it needs: " + update + "--scope '…'"
	case r.Error == "invalid_target":
		return "List the resources with `latchkey resource list`; add the one asked for, or allow it: " + update + "--resource URI"
	case r.Error == "unauthorized_client":
		return "The client has the grant types " + strings.Join(c.GrantTypes, ", ") + ". Add the one that it uses: " + update + "--grant-type …"
	case r.Error == "invalid_grant":
		return "Codes are used once, within a minute, with the same redirect_uri and the code_verifier of the code_challenge. Look for a proxy or a browser that repeats requests."
	case strings.Contains(r.Description, "code_challenge"):
		return "Turn PKCE with S256 on in the application. If it can't, and it has a secret: " + update + "--no-require-pkce"
	}
	return "See what the server said, and docs/applications.md for the application's settings."
}

func invalidClientHint(c *clients.Client, reason string) string {
	switch {
	case strings.HasPrefix(reason, "client_assertion"), reason == "bad_client_assertion":
		return "Compare the key, kid and algorithm of the assertion with the client's jwks or jwks_uri, and the clocks of both sides."
	case c.Public():
		return "The client is public (token_endpoint_auth_method none): remove the secret from the application, or give the client one " +
			"with --token-endpoint-auth-method client_secret_basic and rotate-secret."
	case c.TokenEndpointAuthMethod == clients.AuthPrivateKeyJWT:
		return "The client authenticates with its key (private_key_jwt), and a secret or nothing was sent."
	}
	return "The secret is missing or wrong: look for spaces, quotes and a line break at its end, or make a new one: latchkey client rotate-secret " + c.ID
}

// printable returns a text of a request without what a terminal would act on.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '\ufffd'
		}
		return c
	}, s)
}
