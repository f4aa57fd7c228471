package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/alecthomas/kong"

	"latchkey/admin"
	"latchkey/server/oauth"
)

type loginCmd struct {
	ClientID string       `name:"client-id" default:"latchkey-cli" help:"Client to log in with, which the operator has registered for the device grant and the scopes of the API." placeholder:"ID"`
	Scope    string       `help:"Scopes to ask for, space separated; by default all that the client may have." placeholder:"SCOPES"`
	Options  kong.Plugins `embed:"" options:"remote,log"`
}

func (c *loginCmd) Help() string {
	return "Shows an address and a code, with which you log in in a browser anywhere (RFC 8628). The tokens are kept in your configuration " +
		"directory, readable for you only, and renewed when they are needed."
}

// savedLogin is what is kept of a login. It gets tokens, and keeps the new ones.
type savedLogin struct {
	path   string
	Server string       `json:"server"`
	From   admin.Server `json:"from"`
	Client string       `json:"client_id"`
	Tokens admin.Tokens `json:"tokens"`
	Ends   time.Time    `json:"ends_at"`
}

// loginPath returns the file that keeps the login at a server.
func loginPath(server string) (string, error) {
	folder, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("%w. Set XDG_CONFIG_HOME, or use --token (LATCHKEY_TOKEN)", err)
	}
	sum := sha256.Sum256([]byte(server))
	return filepath.Join(folder, "latchkey", "login-"+hex.EncodeToString(sum[:8])+".json"), nil
}

func readLogin(server string) (*savedLogin, error) {
	path, err := loginPath(server)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no login at %s. Log in with `latchkey login --server %s`; scripts set --token (LATCHKEY_TOKEN), or "+
			"--server-client-id and --server-client-secret", server, server)
	}
	if err != nil {
		return nil, err
	}
	s := &savedLogin{}
	if err := json.Unmarshal(text, s); err != nil || s.Server != server {
		return nil, fmt.Errorf("%s is not a login at %s. Remove it, and log in with `latchkey login --server %s`", path, server, server)
	}
	s.path = path
	return s, nil
}

// save writes the login, readable for its user only. A reader sees the old or the new one.
func (s *savedLogin) save() error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(s.path), "login-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), s.path)
}

// keep stores new tokens. An answer without a refresh token leaves the present one valid (RFC 6749 §6).
func (s *savedLogin) keep(t *admin.Tokens, now time.Time) error {
	if t.RefreshToken == "" {
		t.RefreshToken = s.Tokens.RefreshToken
	}
	s.Tokens, s.Ends = *t, now.Add(t.Lifetime()).UTC()
	return s.save()
}

// Token implements [admin.TokenSource].
func (s *savedLogin) Token(ctx context.Context) (string, error) {
	if time.Until(s.Ends) > 30*time.Second {
		return s.Tokens.AccessToken, nil
	}
	t := &admin.Tokens{}
	err := errors.New("the login has no refresh token")
	if s.Tokens.RefreshToken != "" {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {s.Tokens.RefreshToken}, "resource": {s.From.Resource}}
		t, err = admin.RequestToken(ctx, remoteHTTP, s.From.TokenURL, s.Client, "", form)
	}
	if err != nil {
		return "", fmt.Errorf("%w. Log in again with `latchkey login --server %s`", err, s.Server)
	}
	return t.AccessToken, s.keep(t, time.Now())
}

// deviceAnswer is a device authorization response (RFC 8628 §3.2).
type deviceAnswer struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	URI        string `json:"verification_uri"`
	Complete   string `json:"verification_uri_complete"`
	ExpiresIn  int64  `json:"expires_in"`
	Interval   int64  `json:"interval"`
}

func (c *loginCmd) Run(ctx context.Context, a *app) error {
	if !a.remote() {
		return usage("no server is named. Set --server (LATCHKEY_SERVER).")
	}
	server := a.settings.Remote.Server
	path, err := loginPath(server)
	if err != nil {
		return err
	}
	from, err := admin.New(server, nil, remoteHTTP).Discover(ctx)
	if err != nil {
		return explainRemote(err)
	}
	form := url.Values{"resource": {from.Resource}}
	if c.Scope != "" {
		form.Set("scope", c.Scope)
	}
	var device deviceAnswer
	if err := admin.PostForm(ctx, remoteHTTP, from.Issuer+oauth.DevicePath, c.ClientID, "", form, &device); err != nil {
		return fmt.Errorf("%w. Does the server have the client %s? Register it there: latchkey client add --client-id %s --token-endpoint-auth-method none "+
			"--grant-type urn:ietf:params:oauth:grant-type:device_code --grant-type refresh_token --scope '%s …'", err, c.ClientID, c.ClientID, from.Scopes[0])
	}
	fmt.Fprintf(a.stderr, "Open %s in a browser, and check that it shows the code %s.\n", printable(device.Complete), printable(device.UserCode))
	tokens, err := pollDevice(ctx, from, c.ClientID, &device)
	if err != nil {
		return err
	}
	s := &savedLogin{path: path, Server: server, From: *from, Client: c.ClientID}
	if err := s.keep(tokens, time.Now()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "logged in at %s\n", server)
	return err
}

// pollDevice waits for the answer of the person (RFC 8628 §3.5).
func pollDevice(ctx context.Context, from *admin.Server, clientID string, device *deviceAnswer) (*admin.Tokens, error) {
	wait := time.Duration(max(device.Interval, 1)) * time.Second
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
		tokens, err := admin.RequestToken(ctx, remoteHTTP, from.TokenURL, clientID, "", url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {device.DeviceCode},
		})
		var refused *admin.TokenError
		switch {
		case err == nil:
			return tokens, nil
		case !errors.As(err, &refused):
			wait = min(2*wait, 30*time.Second) // §3.5: back off where the connection fails
			if ctx.Err() != nil {
				return nil, err
			}
		case refused.Code == "slow_down":
			wait += 5 * time.Second
		case refused.Code != "authorization_pending":
			return nil, err
		}
	}
}

type logoutCmd struct {
	Options kong.Plugins `embed:"" options:"remote,log"`
}

func (c *logoutCmd) Run(ctx context.Context, a *app) error {
	if !a.remote() {
		return usage("no server is named. Set --server (LATCHKEY_SERVER).")
	}
	s, err := readLogin(a.settings.Remote.Server)
	if err != nil {
		return err
	}
	// The login ends at the server too (RFC 7009): the answer to a token that is no longer known is 200.
	ended := admin.PostForm(ctx, remoteHTTP, s.From.Issuer+oauth.RevokePath, s.Client, "", url.Values{"token": {s.Tokens.RefreshToken}}, &struct{}{})
	if err := os.Remove(s.path); err != nil {
		return err
	}
	if refused, ok := errors.AsType[*admin.TokenError](ended); ok {
		fmt.Fprintf(a.stderr, "latchkey: the server did not end the session: %v\n", refused)
	}
	_, err = fmt.Fprintf(a.stdout, "logged out at %s\n", s.Server)
	return err
}
