// Command oauth2 gets a token by password, refreshes it 20 times and revokes it, with golang.org/x/oauth2 and nothing
// that knows Latchkey.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"time"

	"golang.org/x/oauth2"
)

func main() {
	issuer := "http://localhost:8000"
	if len(os.Args) > 1 {
		issuer = os.Args[1]
	}
	if err := run(context.Background(), issuer, "demo-client", "demo", "demo-password"); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, issuer, clientID, username, password string) error {
	conf := &oauth2.Config{
		ClientID: clientID,
		Endpoint: oauth2.Endpoint{TokenURL: issuer + "/oauth2/token", AuthStyle: oauth2.AuthStyleInParams},
	}
	token, err := conf.PasswordCredentialsToken(ctx, username, password)
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	fmt.Println("logged in, the access token ends", token.Expiry.Format(time.RFC3339))

	for range 20 {
		token.Expiry = time.Now().Add(-time.Second) // as if its life were over
		next, err := conf.TokenSource(ctx, token).Token()
		if err != nil {
			return fmt.Errorf("refresh: %w", err)
		}
		if next.RefreshToken == token.RefreshToken {
			return fmt.Errorf("the refresh token was not rotated")
		}
		token = next
	}
	fmt.Println("refreshed 20 times")

	// RFC 7009: revoking the refresh token ends the session with all of its tokens.
	resp, err := http.PostForm(issuer+"/oauth2/revoke", url.Values{"client_id": {clientID}, "token": {token.RefreshToken}})
	if err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("revoke: %s", resp.Status)
	}
	token.Expiry = time.Now().Add(-time.Second)
	if _, err := conf.TokenSource(ctx, token).Token(); err == nil {
		return fmt.Errorf("a revoked session was refreshed")
	}
	fmt.Println("revoked")
	return nil
}
