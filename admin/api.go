package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Prefix is the path below which the API lies.
const Prefix = "/admin/v1"

// maxAnswer bounds what is read of an answer. The largest ones are lists of 500 clients.
const maxAnswer = 64 << 20

// TokenSource returns access tokens for the API. It is asked before each request.
type TokenSource interface {
	Token(ctx context.Context) (string, error)
}

// StaticToken is an access token that somebody else has got.
type StaticToken string

// Token implements [TokenSource].
func (t StaticToken) Token(context.Context) (string, error) { return string(t), nil }

// API calls the API for operators of one server. It is safe for concurrent use.
type API struct {
	server string
	tokens TokenSource
	http   *http.Client
}

// New returns the API at the URL of a server's listener, such as http://localhost:8001, or of the issuer where the API is public. Without
// a client for HTTP it uses one that gives up after a minute and follows no redirects.
func New(server string, tokens TokenSource, client *http.Client) *API {
	if client == nil {
		client = &http.Client{
			Timeout:       time.Minute,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &API{strings.TrimSuffix(server, "/"), tokens, client}
}

// An Option is a parameter that many calls have.
type Option func(*call)

// IfMatch lets a change fail, with a Problem of the status 412, unless the thing has the entity tag that it was read with. Without it the
// thing is changed as it is.
func IfMatch(tag string) Option { return func(c *call) { c.header.Set("If-Match", tag) } }

// ReadTag stores the entity tag of what the call returns.
func ReadTag(tag *string) Option { return func(c *call) { c.tag = tag } }

// DryRun lets a change be checked and answered, but not made.
func DryRun() Option { return func(c *call) { c.query.Set("dry_run", "true") } }

// Confirm lets a change end up to n sessions. Without it, one that would end more than one is refused: see [Problem.Sessions].
func Confirm(n int) Option {
	return func(c *call) { c.query.Set("confirm_count", strconv.Itoa(n)) }
}

// IdempotencyKey lets a creation be repeated: the same one with the same key, within a day, creates nothing and returns what was created,
// without its secret.
func IdempotencyKey(key string) Option {
	return func(c *call) { c.header.Set("Idempotency-Key", key) }
}

// call is one request.
type call struct {
	method, path string
	query        url.Values
	header       http.Header
	body         any
	tag          *string
}

func newCall(method, path string, body any, options ...Option) *call {
	c := &call{method: method, path: path, query: url.Values{}, header: http.Header{}, body: body}
	for _, o := range options {
		o(c)
	}
	return c
}

// change returns a call that needs If-Match.
func change(method, path string, body any, options []Option) *call {
	return newCall(method, path, body, append([]Option{IfMatch("*")}, options...)...)
}

// segment returns a text as a part of a path.
func segment(text string) string { return "/" + url.PathEscape(text) }

// number returns a number as a part of a path.
func number(n int64) string { return "/" + strconv.FormatInt(n, 10) }

// request returns the request of a call.
func (a *API) request(ctx context.Context, c *call) (*http.Request, error) {
	to := a.server + Prefix + c.path
	if len(c.query) > 0 {
		to += "?" + c.query.Encode()
	}
	var body io.Reader
	if c.body != nil {
		text, err := json.Marshal(c.body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", c.method, c.path, err)
		}
		body = bytes.NewReader(text)
		if c.header.Get("Content-Type") == "" {
			c.header.Set("Content-Type", "application/json")
		}
	}
	r, err := http.NewRequestWithContext(ctx, c.method, to, body)
	if err != nil {
		return nil, err
	}
	token, err := a.tokens.Token(ctx)
	if err != nil {
		return nil, err
	}
	r.Header = c.header
	r.Header.Set("Authorization", "Bearer "+token)
	return r, nil
}

// do sends a call and reads its answer.
func (a *API) do(ctx context.Context, c *call, into any) error {
	r, err := a.request(ctx, c)
	if err != nil {
		return err
	}
	answer, err := a.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s %s: %w", c.method, c.path, err)
	}
	if answer.StatusCode < 200 || answer.StatusCode >= 300 {
		return problemOf(answer, text)
	}
	if c.tag != nil {
		*c.tag = answer.Header.Get("ETag")
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s %s: the answer is not the JSON of this API: %w", c.method, c.path, err)
	}
	return nil
}

// one sends a call whose answer is one thing.
func one[T any](ctx context.Context, a *API, c *call) (*T, error) {
	var v T
	if err := a.do(ctx, c, &v); err != nil {
		return nil, err
	}
	return &v, nil
}

// page is a part of a list.
type page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor"`
}

// list reads a list part by part. An error ends it.
func list[T any](ctx context.Context, a *API, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for cursor := ""; ; {
			c := newCall(http.MethodGet, path, nil)
			for name, values := range query {
				c.query[name] = values
			}
			c.query.Set("limit", "500")
			if cursor != "" {
				c.query.Set("cursor", cursor)
			}
			var p page[T]
			if err := a.do(ctx, c, &p); err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, v := range p.Items {
				if !yield(v, nil) {
					return
				}
			}
			if cursor = p.NextCursor; cursor == "" {
				return
			}
		}
	}
}

// filters returns the parameters that are not empty: names and values in turns.
func filters(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" && pairs[i+1] != "0" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

// yes returns true or false as a filter, and nothing for nil.
func yes(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}

// at returns a time as a filter.
func at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func id(n int64) string { return strconv.FormatInt(n, 10) }
