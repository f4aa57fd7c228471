//go:build ignore

// This program signs a user in with a browser and calls the userinfo endpoint: code + PKCE with golang.org/x/oauth2, discovery and
// ID tokens with go-oidc.
//
//	go mod init login; go get github.com/coreos/go-oidc/v3/oidc golang.org/x/oauth2
//	ISSUER=http://localhost:8000 CLIENT_ID=demo-app go run main.go
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

func main() {
	if err := run(context.Background(), cmp.Or(os.Getenv("ISSUER"), "http://localhost:8000"), cmp.Or(os.Getenv("CLIENT_ID"), "demo-app")); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, issuer, clientID string) error {
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return err
	}
	// Any port: a loopback redirect URI is registered without one.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	config := &oauth2.Config{
		ClientID: clientID, Endpoint: provider.Endpoint(), RedirectURL: "http://" + listener.Addr().String() + "/callback",
		Scopes: []string{oidc.ScopeOpenID, "profile", oidc.ScopeOfflineAccess},
	}
	config.Endpoint.AuthStyle = oauth2.AuthStyleInParams // a public client has no secret to try others with

	verifier, state, nonce := oauth2.GenerateVerifier(), rand.Text(), rand.Text()
	fmt.Println("Sign in at", config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)))
	code, err := await(listener, issuer, state)
	if err != nil {
		return err
	}
	token, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return err
	}
	raw, _ := token.Extra("id_token").(string)
	idToken, err := provider.Verifier(&oidc.Config{ClientID: clientID}).Verify(ctx, raw)
	if err != nil {
		return err
	}
	if idToken.Nonce != nonce {
		return errors.New("the ID token is not of this login")
	}
	if err := show(ctx, "Signed in:", provider, config, token); err != nil {
		return err
	}
	token.Expiry = time.Now() // as it will be some minutes later; the library refreshes by itself
	return show(ctx, "Refreshed:", provider, config, token)
}

func show(ctx context.Context, label string, provider *oidc.Provider, config *oauth2.Config, token *oauth2.Token) error {
	info, err := provider.UserInfo(ctx, config.TokenSource(ctx, token))
	if err != nil {
		return err
	}
	var claims map[string]any
	if err := info.Claims(&claims); err != nil {
		return err
	}
	fmt.Println(label, claims)
	return nil
}

// await gives the code that the browser brings.
func await(listener net.Listener, issuer, state string) (code string, err error) {
	answers := make(chan error, 1)
	server := &http.Server{ReadHeaderTimeout: time.Minute}
	http.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "You can close this window.")
		q := r.URL.Query()
		switch {
		case q.Get("state") != state || q.Get("iss") != issuer: // RFC 9207: whoever answered is whom we asked
			err = errors.New("the answer is not to this login")
		case q.Get("error") != "":
			err = fmt.Errorf("%s: %s", q.Get("error"), q.Get("error_description"))
		default:
			code = q.Get("code")
		}
		answers <- err
	})
	go server.Serve(listener)
	err = <-answers
	return code, errors.Join(err, server.Shutdown(context.Background()))
}
