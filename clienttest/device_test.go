package clienttest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// deviceLogin logs a program in that has no browser.
func deviceLogin(ctx context.Context, config *oauth2.Config, out io.Writer) (*oauth2.Token, error) {
	device, err := config.DeviceAuth(ctx)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "Open %s and enter the code %s\n", device.VerificationURI, device.UserCode)
	return config.DeviceAccessToken(ctx, device) // waits for the answer
}

// TestOAuth2Device is the device authorization grant (RFC 8628) as golang.org/x/oauth2 has it.
func TestOAuth2Device(t *testing.T) {
	t.Parallel()
	l := serve(t)
	for name, flags := range map[string][]string{
		"public": {"--token-endpoint-auth-method=none"},
		"denied": {"--token-endpoint-auth-method=none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := l.AddClient(append([]string{
				"--client-name=" + t.Name(), "--grant-type=urn:ietf:params:oauth:grant-type:device_code,refresh_token", "--scope=openid profile",
			}, flags...)...)
			config := &oauth2.Config{
				ClientID: client.ID, ClientSecret: client.Secret, Endpoint: endpoints(l.Issuer), Scopes: []string{"openid", "profile"},
			}
			config.Endpoint.DeviceAuthURL = l.Issuer + "/oauth2/device_authorization"
			person := newBrowser()
			if name == "denied" {
				person.decision = "deny"
			}
			shown, screen := io.Pipe()
			go func() {
				var address, code string
				fmt.Fscanf(shown, "Open %s and enter the code %s", &address, &code)
				_, text := person.visit(t, address+"?user_code="+code, "")
				if want := map[bool]string{true: "Access denied", false: "Device connected"}[name == "denied"]; !strings.Contains(text, want) {
					t.Errorf("the last page is %s", text)
				}
			}()
			token, err := deviceLogin(t.Context(), config, screen)
			if want := []string{"/login", "/device", "/device", "/device"}; !slices.Equal(person.shown, want) {
				t.Errorf("the person saw %q, want %q", person.shown, want)
			}
			if name == "denied" {
				if !isOAuthError(err, "access_denied") {
					t.Errorf("denied: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := userinfo(t, l, config, token); got["preferred_username"] != username {
				t.Errorf("userinfo = %v", got)
			}
			token = refreshThrice(t, config, token)
			revoke(t, l, config, token)
			refreshFails(t, config, token)
		})
	}
}
