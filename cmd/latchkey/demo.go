package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"latchkey/clients"
	"latchkey/clients/document"
	"latchkey/server"
	"latchkey/server/users"
	"latchkey/storage"
)

const (
	demoFolder   = ".latchkey-demo"
	demoDatabase = demoFolder + "/latchkey.db"
	demoUser     = "demo"
	demoPassword = "demo-password"
	demoClient   = "demo-client"
	demoApp      = "demo-app"
)

type demoCmd struct {
	Options kong.Plugins `embed:""`
}

func (c *demoCmd) Help() string {
	return "Everything is kept in " + demoFolder + "/ under the current folder, whatever LATCHKEY_DATABASE_URL says: " +
		"a demo must not put a user whose password everybody knows into a real database. Delete the folder to start anew."
}

func (c *demoCmd) Run(ctx context.Context, a *app) error {
	a.serving = true
	if err := a.demoSettings(); err != nil {
		return err
	}
	store, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	s, err := a.newServer(store)
	if err != nil {
		return err
	}
	if err := prepareDemo(ctx, s); err != nil {
		return err
	}
	if err := s.Listen(); err != nil {
		return err
	}
	if err := a.greet(); err != nil {
		return err
	}
	return s.Run(ctx)
}

// demoSettings replaces the defaults by those of the demo; what was given stays.
func (a *app) demoSettings() error {
	s := a.settings
	given := func(name string) bool { return s.given[name] != "" }
	if s.given["database-url"] != fromFlag {
		if given("database-url") {
			fmt.Fprintf(a.stderr, "latchkey: the demo keeps its own database in %s/; LATCHKEY_DATABASE_URL is not used\n", demoFolder)
		}
		if err := os.MkdirAll(demoFolder, 0o700); err != nil {
			return fmt.Errorf("%w. Run the demo in a folder that this user may write to", err)
		}
		s.database = database{path: demoDatabase}
	}
	if !given("issuer") {
		if _, port, err := net.SplitHostPort(s.server.Listen); err == nil {
			s.server.Issuer = "http://localhost:" + port
		}
	}
	if !given("registration") {
		s.server.Registration = "open"
	}
	if !given("client-documents") {
		s.server.ClientDocuments = document.Policy{Open: true}
	}
	if !given("resource-policy") {
		s.server.AnyResource = true
	}
	if !given("simplejwt-access-token-lifetime") {
		s.server.SimpleJWT.AccessTokenLifetime = 15 * time.Minute
	}
	if !given("simplejwt-refresh-token-lifetime") {
		s.server.SimpleJWT.RefreshTokenLifetime = 7 * 24 * time.Hour
	}
	s.server.AllowLoopbackOrigins = true
	return nil
}

// prepareDemo makes the user and the clients unless they are there.
func prepareDemo(ctx context.Context, s *server.Server) error {
	_, err := s.Users().Find(ctx, demoUser)
	if errors.Is(err, storage.ErrNotFound) {
		err = addDemoUser(ctx, s.Users())
	}
	if err != nil {
		return fmt.Errorf("demo user: %w", err)
	}
	for _, reg := range demoClients() {
		if _, _, err := s.Clients().Add(ctx, reg); err != nil && !errors.Is(err, storage.ErrExists) {
			return fmt.Errorf("client %s: %w", reg.ID, err)
		}
	}
	return nil
}

// demoClients are one that takes passwords, and one that sends the user to the pages: a program on this machine, at any
// port (RFC 8252 §7.3).
func demoClients() []clients.Registration {
	return []clients.Registration{
		{
			ID: demoClient,
			Metadata: clients.Metadata{
				ClientName:              "Demo",
				GrantTypes:              []string{clients.GrantPassword, clients.GrantRefreshToken},
				TokenEndpointAuthMethod: clients.AuthNone,
			},
			Policy: clients.Policy{FirstParty: true},
		},
		{
			ID: demoApp,
			Metadata: clients.Metadata{
				ClientName:              "Demo app",
				ApplicationType:         "native",
				GrantTypes:              []string{clients.GrantAuthorizationCode, clients.GrantRefreshToken},
				TokenEndpointAuthMethod: clients.AuthNone,
				RedirectURIs:            []string{"http://localhost/callback", "http://127.0.0.1/callback"},
				PostLogoutRedirectURIs:  []string{"http://localhost/", "http://127.0.0.1/"},
			},
		},
	}
}

func addDemoUser(ctx context.Context, service *users.Service) error {
	password := storage.Secret(demoPassword)
	u := users.NewUser{ID: 1, Username: demoUser, Email: "demo@example.com", Password: &password, Active: true}
	_, err := service.Add(ctx, u)
	if errors.Is(err, storage.ErrExists) { // someone else has the id
		u.ID = 0
		_, err = service.Add(ctx, u)
	}
	return err
}

const demoText = `
  Latchkey demo at ISSUER

  *** NOT FOR PRODUCTION: everybody knows the demo user's password. ***
  Everything is kept in FOLDER. Delete it to start anew.

  User:      demo
  Password:  demo-password

  Get tokens, as djangorestframework-simplejwt has it:

curl -s ISSUER/api/token/ -H 'Content-Type: application/json' -d 'LOGIN'

  Refresh (gets a refresh token first and presents it):

curl -s ISSUER/api/token/refresh/ -H 'Content-Type: application/json' -d "{\"refresh\": \"$(curl -s ISSUER/api/token/ -H 'Content-Type: application/json' -d 'LOGIN' | sed 's/.*"refresh": *"\([^"]*\)".*/\1/')\"}"

  Get tokens, as OAuth 2.0 has it:

curl -s ISSUER/oauth2/token -d grant_type=password -d client_id=demo-client -d username=demo -d password=demo-password

  Sign in with a browser, and see what has access:

ISSUER/account

  For a standard library (OpenID Connect, code + PKCE): issuer ISSUER, client_id demo-app, no secret,
  redirect URI http://localhost:ANY_PORT/callback or http://127.0.0.1:ANY_PORT/callback. Other clients may register
  themselves, at ISSUER/oauth2/register or by the URL of their metadata document.

  Stop with Ctrl-C.

`

// greet prints how to try the demo, each command ready to paste.
func (a *app) greet() error {
	folder := demoFolder + "/"
	if path := a.settings.database.path; path != demoDatabase {
		folder = path
	}
	_, err := strings.NewReplacer(
		"ISSUER", a.settings.server.Issuer, "FOLDER", folder,
		"LOGIN", fmt.Sprintf(`{"username": %q, "password": %q}`, demoUser, demoPassword),
	).WriteString(a.stdout, demoText)
	return err
}
