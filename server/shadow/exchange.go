package shadow

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"latchkey/server/simplejwt"
)

// Route is one of simplejwt's views.
type Route string

// The routes.
const (
	RouteToken     Route = "token"
	RouteRefresh   Route = "refresh"
	RouteVerify    Route = "verify"
	RouteBlacklist Route = "blacklist"
)

// adapterPaths are those of the routes at Latchkey.
var adapterPaths = map[Route]string{
	RouteToken: simplejwt.ObtainPath, RouteRefresh: simplejwt.RefreshPath,
	RouteVerify: simplejwt.VerifyPath, RouteBlacklist: simplejwt.BlacklistPath,
}

// maxCopy bounds what is kept of a body. Longer ones are streamed, and not compared.
const maxCopy = 64 << 10

// exchange is a request with Django's answer.
type exchange struct {
	route Route
	at    time.Time
	// request has no body; the body is sent.
	request *http.Request
	sent    []byte
	// whole is false if a body was longer than maxCopy or did not arrive.
	whole bool

	// answered is true when the body of the answer has ended, or was cut off.
	answered bool
	status   int
	header   http.Header
	received []byte
	// through is when the answer was sent.
	through time.Time
}

// size is what an exchange takes of the queue's memory.
func (x *exchange) size() int64 { return int64(len(x.sent) + len(x.received) + 4096) }

// take returns the exchange that a request begins. What it has read of the body is read again by the next handler.
func take(route Route, r *http.Request, at time.Time) (*exchange, error) {
	x := &exchange{route: route, at: at, whole: true}
	if r.Body != nil && r.Body != http.NoBody {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxCopy+1))
		if err != nil {
			return nil, err
		}
		rest := r.Body
		if r.Body = io.NopCloser(bytes.NewReader(body)); len(body) > maxCopy { // else it is sent with the header, in one part
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(bytes.NewReader(body), rest), rest}
		}
		x.sent, x.whole = body, len(body) <= maxCopy
	}
	x.request = r
	return x, nil
}

// again returns the request for another handler, at that handler's path.
func (x *exchange) again(path string) *http.Request {
	r := x.request.Clone(x.request.Context())
	r.URL = &url.URL{Path: path, RawQuery: r.URL.RawQuery}
	r.RequestURI = r.URL.RequestURI()
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(x.sent)), int64(len(x.sent)), nil
	return r
}

// field returns a field of the body, or an empty string.
func (x *exchange) field(name string) string {
	kind, _, _ := mime.ParseMediaType(x.request.Header.Get("Content-Type"))
	if kind == "application/x-www-form-urlencoded" {
		form, _ := url.ParseQuery(string(x.sent))
		return form.Get(name)
	}
	return readObject(x.sent).text(name)
}

// presented returns the claims of the token that the request presents; nil if there is none that can be read.
func (x *exchange) presented(cookies []string) claimSet {
	name := "refresh"
	if x.route == RouteVerify {
		name = "token"
	}
	raw := x.field(name)
	if raw == "" && x.route != RouteVerify {
		for _, name := range cookies {
			if c, err := x.request.Cookie(name); err == nil {
				raw = c.Value
				break
			}
		}
	}
	return readClaims(raw)
}

// claimSet are the claims of a token whose signature was not checked.
type claimSet map[string]json.RawMessage

func readClaims(raw string) claimSet {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	return claimSet(readObject(payload))
}

// algorithm returns the alg of a token's header.
func algorithm(raw string) string {
	header, _, _ := strings.Cut(raw, ".")
	text, _ := base64.RawURLEncoding.DecodeString(header)
	return readObject(text).text("alg")
}

// text returns a claim as text: 7 and "7" are the same.
func (c claimSet) text(name string) string {
	var s string
	if json.Unmarshal(c[name], &s) == nil {
		return s
	}
	return string(c[name])
}

// time returns a claim that is a NumericDate; zero if it is none.
func (c claimSet) time(name string) time.Time {
	seconds, err := strconv.ParseFloat(string(c[name]), 64)
	if err != nil || seconds <= 0 || seconds > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0).UTC()
}

// ours reports whether Latchkey has written the token, or Django has written it anew from one of Latchkey's.
func (c claimSet) ours() bool { return c["fam"] != nil }

// object is the body of a request or of an answer, or a part of a token.
type object map[string]json.RawMessage

// readObject returns nil for what is no object.
func readObject(text []byte) (o object) {
	if json.Unmarshal(text, &o) != nil {
		return nil
	}
	return o
}

func (o object) text(name string) (s string) {
	json.Unmarshal(o[name], &s)
	return s
}
