package shadow

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// answer is one of the two.
type answer struct {
	status int
	header http.Header
	body   []byte
	// reason is why this server would have refused.
	reason string
	// at is when the request was handled.
	at time.Time
}

// answerOf returns Django's, decompressed. ok is false for an encoding that is not known here.
func answerOf(x *exchange) (a *answer, ok bool) {
	a = &answer{status: x.status, header: x.header, body: x.received, at: x.at}
	switch x.header.Get("Content-Encoding") {
	case "", "identity":
		return a, true
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(x.received))
		if err != nil {
			return nil, false
		}
		a.body, err = io.ReadAll(io.LimitReader(z, maxCopy))
		return a, err == nil
	}
	return nil, false
}

// difference is a kind of difference. It has no text of a token or a body.
type difference struct {
	Kind string
	// Detail says what differs: names, statuses, codes.
	Detail string
	// Breaks is set where an application could notice.
	Breaks bool
}

// compare returns what differs between the answers.
func compare(x *exchange, django, own *answer, userIDClaim string) (found []difference) {
	add := func(kind string, breaks bool, format string, args ...any) {
		found = append(found, difference{kind, fmt.Sprintf(format, args...), breaks})
	}
	compareOrigins(x, django, own, add)
	if x.request.Method == http.MethodOptions {
		return found
	}
	d, l := readObject(django.body), readObject(own.body)
	if django.status != own.status {
		because := ""
		if own.reason != "" {
			because = " (" + cut(own.reason) + ")"
		}
		add("status", !apiRefuses(x, django, own), "Django %d%s, Latchkey %d%s%s", django.status, d.code(), own.status, l.code(), because)
		return found
	}
	compareHeaders(django, own, add)
	if d == nil || l == nil {
		if (d == nil) != (l == nil) {
			add("body", true, "one of the answers is no JSON object")
		}
		return found
	}
	if d.code() != l.code() {
		add("code", true, "Django%s, Latchkey%s", d.code(), l.code())
	}
	if django.status >= http.StatusBadRequest {
		compareWords(d, l, add)
		return found
	}
	for _, name := range slices.Sorted(maps.Keys(d)) {
		if _, ok := l[name]; !ok {
			add("body", true, "Latchkey has no %q", cut(name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l)) {
		if _, ok := d[name]; !ok {
			add("body", false, "Latchkey also has %q", cut(name)) // clients ignore fields that they don't know
		}
	}
	for _, name := range []string{"access", "refresh"} {
		compareTokens(name, d.text(name), l.text(name), userIDClaim, add)
		compareLifetimes(name, readClaims(d.text(name)).left(django.at), readClaims(l.text(name)).left(own.at), add)
	}
	return found
}

// apiRefuses reports whether Django has issued a token that its API refuses: simplejwt before 5.5 does not look at the user at a refresh, but
// JWTAuthentication does.
func apiRefuses(x *exchange, django, own *answer) bool {
	return x.route == RouteRefresh && django.status == http.StatusOK && (own.reason == "user_inactive" || own.reason == "user_removed")
}

type adder = func(kind string, breaks bool, format string, args ...any)

// code returns simplejwt's error code, with a space before it.
func (o object) code() string {
	if code := o.text("code"); code != "" {
		return " " + cut(code)
	}
	return ""
}

// compareWords compares refusals: what the fields are, and whether a person reads the same.
func compareWords(d, l object, add adder) {
	if !slices.Equal(slices.Sorted(maps.Keys(d)), slices.Sorted(maps.Keys(l))) {
		add("body", true, "a refusal has other fields")
		return
	}
	for name := range d {
		var one, other any
		json.Unmarshal(d[name], &one)
		json.Unmarshal(l[name], &other)
		if name != "code" && fmt.Sprint(one) != fmt.Sprint(other) {
			add("words", false, "a refusal has other words in %q", cut(name))
		}
	}
}

// ownClaims are those that Latchkey's tokens have besides.
var ownClaims = []string{"fam", "gen", "par", "seal", "sid", "iat"}

// perToken differ from token to token.
var perToken = []string{"exp", "iat", "jti", "refresh_exp", "hash_password"}

func compareTokens(name, django, own, userIDClaim string, add adder) {
	if django == "" || own == "" {
		return // a missing field is a difference already
	}
	d, l := readClaims(django), readClaims(own)
	if d == nil || l == nil {
		return
	}
	if a, b := algorithm(django), algorithm(own); a != b {
		add("algorithm", true, "%s: Django %s, Latchkey %s", name, cut(a), cut(b))
	}
	if d.text(userIDClaim) != l.text(userIDClaim) {
		add("person", true, "%s is another user's", name)
	} else if string(d[userIDClaim]) != string(l[userIDClaim]) {
		add("claims", true, "%s: %q has another type", name, userIDClaim)
	}
	for _, claim := range slices.Sorted(maps.Keys(d)) {
		switch _, ok := l[claim]; {
		case claim == userIDClaim || slices.Contains(ownClaims, claim) && ok:
		case !ok:
			add("claims", true, "%s: Latchkey has no %q", name, cut(claim))
		case !slices.Contains(perToken, claim) && !sameJSON(d[claim], l[claim]):
			add("claims", true, "%s: %q has another value", name, cut(claim))
		}
	}
	for _, claim := range slices.Sorted(maps.Keys(l)) {
		if _, ok := d[claim]; !ok && !slices.Contains(ownClaims, claim) {
			add("claims", false, "%s: Latchkey also has %q", name, cut(claim))
		}
	}
}

// slack is what Django may take for an answer.
const slack = 30 * time.Second

func compareLifetimes(name string, django, own time.Duration, add adder) {
	if django > 0 && own > 0 && (django-own).Abs() > slack {
		add("lifetime", name == "access" || own < django, "%s: Django %s, Latchkey %s", name, rounded(django), rounded(own))
	}
}

// left returns how long a token lives from a time on; zero if it does not say. Its iat is no beginning: simplejwt copies it from token to token.
func (c claimSet) left(from time.Time) time.Duration {
	if end := c.time("exp"); !end.IsZero() {
		return end.Sub(from)
	}
	return 0
}

// rounded keeps the number of kinds small where lifetimes shrink by the second.
func rounded(d time.Duration) time.Duration {
	if d > 2*time.Hour {
		return d.Round(time.Hour)
	}
	return d.Round(time.Minute)
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && fmt.Sprintf("%#v", x) == fmt.Sprintf("%#v", y)
}

// decisive are the headers that applications and browsers go by.
var decisive = []string{"Content-Type", "Www-Authenticate", "Location", "Content-Language"}

func compareHeaders(django, own *answer, add adder) {
	for _, name := range decisive {
		a, b := django.header.Get(name), own.header.Get(name)
		switch {
		case strings.EqualFold(strings.ReplaceAll(a, " ", ""), strings.ReplaceAll(b, " ", "")):
		case name == "Content-Language" && b == "":
			add("headers", false, "Latchkey has no %s", name)
		case a == "" || b == "":
			add("headers", true, "only one answer has %s", name)
		default:
			add("headers", true, "%s differs", name)
		}
	}
	ours := (&http.Response{Header: own.header}).Cookies()
	for _, c := range (&http.Response{Header: django.header}).Cookies() {
		if !slices.ContainsFunc(ours, func(o *http.Cookie) bool { return o.Name == c.Name }) {
			add("headers", true, "Latchkey sets no cookie %q", cut(c.Name))
		}
	}
}

// compareOrigins compares whether a page of another origin may read the answer.
func compareOrigins(x *exchange, django, own *answer, add adder) {
	origin := x.request.Header.Get("Origin")
	if origin == "" {
		return
	}
	const allowed = "Access-Control-Allow-Origin"
	a, b := django.header.Get(allowed) != "", own.header.Get(allowed) != ""
	switch {
	case a && !b:
		add("origins", true, "only Django allows %s: see --cors-origins", cut(origin))
	case b && !a:
		add("origins", false, "only Latchkey allows %s", cut(origin))
	case a && django.header.Get("Access-Control-Allow-Credentials") == "true" && own.header.Get("Access-Control-Allow-Credentials") != "true":
		add("origins", true, "only Django lets %s send credentials: see --cors-credentials", cut(origin))
	}
}

// cut bounds text that somebody else has chosen.
func cut(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return '?'
		}
		return c
	}, strings.ToValidUTF8(s, "?"))
}
