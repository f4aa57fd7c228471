//go:build ignore

// goth 1.82: go run goth.go
package main

import (
	"crypto/rand"
	"encoding/json"
	"log"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/markbates/goth"
	"github.com/markbates/goth/gothic"
	"github.com/markbates/goth/providers/openidConnect"
)

// users are those who are signed in.
var users sync.Map

func main() {
	provider, err := openidConnect.New("CLIENT_ID", "CLIENT_SECRET", "https://app.example.com/auth/callback",
		"https://id.example.com/.well-known/openid-configuration", "profile", "email")
	if err != nil {
		log.Fatal(err)
	}
	goth.UseProviders(provider)

	http.HandleFunc("GET /auth", func(w http.ResponseWriter, r *http.Request) {
		gothic.BeginAuthHandler(w, gothic.GetContextWithProvider(r, provider.Name()))
	})
	http.HandleFunc("GET /auth/callback", func(w http.ResponseWriter, r *http.Request) {
		user, err := gothic.CompleteUserAuth(w, gothic.GetContextWithProvider(r, provider.Name()))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		id := rand.Text()
		users.Store(id, user)
		http.SetCookie(w, &http.Cookie{Name: "session", Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		id, user, ok := current(r)
		if !ok {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if time.Now().After(user.ExpiresAt) {
			// Several requests may refresh at once: they get the same successor.
			token, err := provider.RefreshToken(user.RefreshToken)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			user.AccessToken, user.RefreshToken, user.ExpiresAt = token.AccessToken, token.RefreshToken, token.Expiry
			users.Store(id, user)
		}
		json.NewEncoder(w).Encode(user)
	})
	http.HandleFunc("GET /logout", func(w http.ResponseWriter, r *http.Request) {
		id, user, _ := current(r)
		users.Delete(id)
		parameters := url.Values{"id_token_hint": {user.IDToken}, "post_logout_redirect_uri": {"https://app.example.com/goodbye"}}
		http.Redirect(w, r, provider.OpenIDConfig.EndSessionEndpoint+"?"+parameters.Encode(), http.StatusSeeOther)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}

func current(r *http.Request) (id string, user goth.User, ok bool) {
	cookie, err := r.Cookie("session")
	if err != nil {
		return "", user, false
	}
	value, ok := users.Load(cookie.Value)
	if ok {
		user = value.(goth.User)
	}
	return cookie.Value, user, ok
}
