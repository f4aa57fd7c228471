package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"latchkey/clients"
	"latchkey/cmd/latchkey/internal/config"
	"latchkey/server"
	"latchkey/server/mail"
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
	demoGroup    = "operators"
)

type demoCmd struct{ serverFlags }

func (c *demoCmd) Help() string {
	return "All data is in " + demoFolder + "/ under the current directory, whatever LATCHKEY_DATABASE_URL is: the demo must not add " +
		"a user with a publicly known password to a real database. Delete the directory to start again."
}

func (c *demoCmd) Run(ctx context.Context, a *app) error {
	a.mayCreate = true
	defer a.serves()()
	if err := a.demoSettings(); err != nil {
		return err
	}
	if _, err := a.open(ctx); err != nil {
		return err
	}
	s, err := a.newServer(ctx)
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

// demoSettings replaces defaults with those of the demo; options that were given keep their values.
func (a *app) demoSettings() error {
	s := a.settings
	if s.Source("database-url") != config.FromFlag {
		if s.Given("database-url") {
			fmt.Fprintf(a.stderr, "latchkey: the demo uses its own database in %s/, not LATCHKEY_DATABASE_URL\n", demoFolder)
		}
		if err := os.MkdirAll(demoFolder, 0o700); err != nil {
			return fmt.Errorf("%w. Run the demo in a directory that this user may write to", err)
		}
		s.Database = config.Database{Path: demoDatabase}
	}
	s.UsersFrom = "latchkey"
	if _, port, err := net.SplitHostPort(s.Server.Listen); err == nil {
		s.Preset("issuer", "http://localhost:"+port)
	}
	for name, text := range map[string]string{
		"registration": "open", "client-documents": "open", "resource-policy": "any", "sign-up": "open",
		"simplejwt-access-token-lifetime": "15m", "simplejwt-refresh-token-lifetime": "7d",
		"outbound-allow": "127.0.0.0/8\n::1/128", // webhooks of a program on the same machine
	} {
		s.Preset(name, text)
	}
	if !s.Given("console") && !s.Given("admin-group") {
		s.Server.Console, s.Server.AdminGroup = true, demoGroup
	}
	if s.Server.Mail.Transport == nil {
		s.Server.Mail.Transport = new(mail.Mailbox)
		s.Server.Mail.From = cmp.Or(s.Server.Mail.From, "Latchkey demo <no-reply@demo.example>")
	}
	s.Server.Television = demoApp
	s.Server.AllowLoopbackOrigins, s.Server.ShutdownDelay = true, 0
	return nil
}

// prepareDemo adds the user and the clients unless they exist.
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

// demoClients returns a client that sends passwords, and one that sends the user to the pages: a program on this machine, at
// any port (RFC 8252 §7.3).
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
				GrantTypes:              []string{clients.GrantAuthorizationCode, clients.GrantRefreshToken, clients.GrantDeviceCode},
				TokenEndpointAuthMethod: clients.AuthNone,
				RedirectURIs:            []string{"http://localhost/callback", "http://127.0.0.1/callback"},
				PostLogoutRedirectURIs:  []string{"http://localhost/", "http://127.0.0.1/"},
			},
		},
	}
}

func addDemoUser(ctx context.Context, service *users.Service) error {
	password := storage.Secret(demoPassword)
	u := users.NewUser{ID: 1, Username: demoUser, Email: "demo@example.com", Password: &password, Active: true, Profile: storage.UserProfile{
		EmailVerified: true, Name: "Demo User", GivenName: "Demo", FamilyName: "User", Locale: "en", Groups: []string{"demo", demoGroup},
	}}
	_, err := service.Add(ctx, u)
	if errors.Is(err, storage.ErrExists) { // another user has the id
		u.ID = 0
		_, err = service.Add(ctx, u)
	}
	return err
}

const demoText = `
  Latchkey demo at ISSUER

  *** NOT FOR PRODUCTION: the demo user's password is publicly known. ***
  All data is in FOLDER. Delete it to start again.

  User:      demo
  Password:  demo-password

  Get tokens, as from djangorestframework-simplejwt:

curl -s ISSUER/api/token/ -H 'Content-Type: application/json' -d 'LOGIN'

  Refresh (gets a refresh token first and uses it):

curl -s ISSUER/api/token/refresh/ -H 'Content-Type: application/json' -d "{\"refresh\": \"$(curl -s ISSUER/api/token/ -H 'Content-Type: application/json' -d 'LOGIN' | sed 's/.*"refresh": *"\([^"]*\)".*/\1/')\"}"

  Get tokens with OAuth 2.0:

curl -s ISSUER/oauth2/token -d grant_type=password -d client_id=demo-client -d username=demo -d password=demo-password

  Log in a program without a browser (RFC 8628): begin, open the verification_uri_complete of the answer, and get the tokens:

curl -s ISSUER/oauth2/device_authorization -d client_id=demo-app
curl -s ISSUER/oauth2/token -d client_id=demo-app -d grant_type=urn:ietf:params:oauth:grant-type:device_code -d device_code=DEVICE_CODE

  A device without a keyboard shows a code to scan with a telephone, or to open in another browser, and then who has logged in:

ISSUER/television

  Sign in with a browser, and see which applications have access:

ISSUER/account

  Sign up, or choose a new password; letters are not sent but shown to everybody at the second address:

ISSUER/sign-up
ISSUER/mailbox

  The same user is an operator of the demo, with users, clients and the audit log in the browser:

ISSUER/console

  For a standard library (OpenID Connect, code + PKCE): issuer ISSUER, client_id demo-app, no secret,
  redirect URI http://localhost:ANY_PORT/callback or http://127.0.0.1:ANY_PORT/callback. Other clients can register
  themselves at ISSUER/oauth2/register, or use the URL of their metadata document as client_id.

  Stop with Ctrl-C.

`

// greet prints how to try the demo, with commands that are ready to paste.
func (a *app) greet() error {
	folder := demoFolder + "/"
	if path := a.settings.Database.Path; path != demoDatabase {
		folder = path
	}
	_, err := strings.NewReplacer(
		"ISSUER", a.settings.Server.Issuer, "FOLDER", folder,
		"LOGIN", fmt.Sprintf(`{"username": %q, "password": %q}`, demoUser, demoPassword),
	).WriteString(a.stdout, demoText)
	return err
}
