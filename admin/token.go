package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Server is what the API says about the server that its tokens come from.
type Server struct {
	// Issuer is the issuer identifier, TokenURL its token endpoint.
	Issuer, TokenURL string
	// Resource is the resource indicator (RFC 8707) to ask for: the only audience that tokens may have.
	Resource string
	// Scopes are those of the API.
	Scopes []string
}

// Discover asks the API where its tokens come from. It needs none itself.
func (a *API) Discover(ctx context.Context) (*Server, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.server+Prefix+"/openapi.json", nil)
	if err != nil {
		return nil, err
	}
	answer, err := a.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, problemOf(answer, text)
	}
	var document struct {
		Components struct {
			SecuritySchemes struct {
				OAuth2 struct {
					Flows struct {
						ClientCredentials struct {
							TokenURL string
							Scopes   map[string]string
						}
					}
				}
			}
		}
	}
	err = json.Unmarshal(text, &document)
	flow := document.Components.SecuritySchemes.OAuth2.Flows.ClientCredentials
	issuer, ok := strings.CutSuffix(flow.TokenURL, "/oauth2/token")
	if err != nil || !ok {
		return nil, errors.New("the description of the API does not say where its tokens come from: is it an API of Latchkey?")
	}
	s := &Server{Issuer: issuer, TokenURL: flow.TokenURL, Resource: issuer + Prefix}
	for scope := range flow.Scopes {
		s.Scopes = append(s.Scopes, scope)
	}
	return s, nil
}

// ClientCredentials gets tokens by the grant type client_credentials, and another one shortly before the last ends. It is safe for
// concurrent use.
type ClientCredentials struct {
	Server                 Server
	ClientID, ClientSecret string
	// Scopes are those to ask for; none means all that the API has.
	Scopes []string
	// HTTP sends the requests; nil means http.DefaultClient.
	HTTP *http.Client

	mu    sync.Mutex
	token string
	ends  time.Time
}

// Token implements [TokenSource].
func (c *ClientCredentials) Token(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != "" && time.Now().Before(c.ends) {
		return c.token, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {c.Server.Resource}}
	if len(c.Scopes) > 0 {
		form.Set("scope", strings.Join(c.Scopes, " "))
	}
	t, err := RequestToken(ctx, c.HTTP, c.Server.TokenURL, c.ClientID, c.ClientSecret, form)
	if err != nil {
		return "", err
	}
	c.token, c.ends = t.AccessToken, time.Now().Add(t.Lifetime()-30*time.Second)
	return c.token, nil
}

// Tokens are an answer of a token endpoint (RFC 6749 §5.1).
type Tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	ExpiresIn    int64  `json:"expires_in"`
	Scope        string `json:"scope,omitempty"`
}

// Lifetime is how long the access token lives.
func (t *Tokens) Lifetime() time.Duration { return time.Duration(t.ExpiresIn) * time.Second }

// TokenError is an error of a token endpoint (RFC 6749 §5.2).
type TokenError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (e *TokenError) Error() string {
	return fmt.Sprintf("no token: %s: %s", e.Code, e.Description)
}

// RequestToken sends a form to a token endpoint, or to another one that clients authenticate at in the same way (RFC 6749 §2.3.1). An
// empty secret is that of a public client. A refusal is a *TokenError.
func RequestToken(ctx context.Context, client *http.Client, to, clientID, secret string, form url.Values) (*Tokens, error) {
	var t Tokens
	return &t, PostForm(ctx, client, to, clientID, secret, form, &t)
}

// PostForm is RequestToken for any answer that is JSON.
func PostForm(ctx context.Context, client *http.Client, to, clientID, secret string, form url.Values, into any) error {
	if secret == "" {
		form.Set("client_id", clientID)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if secret != "" {
		r.SetBasicAuth(url.QueryEscape(clientID), url.QueryEscape(secret))
	}
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		e := &TokenError{}
		if json.Unmarshal(text, e) != nil || e.Code == "" {
			return fmt.Errorf("no token: %s answered %d", to, answer.StatusCode)
		}
		return e
	}
	return json.Unmarshal(text, into)
}
