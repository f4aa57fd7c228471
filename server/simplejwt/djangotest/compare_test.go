package djangotest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// difference is what a client could tell the two servers by: a part of the answer, and what each said.
type difference struct {
	// part is status, body, a header's name, or a claim's as access.iat.
	part             string
	django, latchkey string
}

func (d difference) String() string {
	return fmt.Sprintf("%s: Django %s, Latchkey %s", d.part, d.django, d.latchkey)
}

// headersThatMatter are those that a client or a proxy acts on.
var headersThatMatter = []string{"Content-Type", "WWW-Authenticate", "Allow", "Vary", "Location"}

// ownClaims are what Latchkey's tokens have besides simplejwt's: the family and its state (docs/rotation.md).
var ownClaims = []string{"fam", "gen", "par", "sid", "seal"}

// differences compares two answers to the same request.
func differences(x *exchange) (found []difference) {
	if x.django.status != x.latchkey.status {
		found = append(found, difference{"status", itoa(x.django.status), itoa(x.latchkey.status)})
	}
	for _, name := range headersThatMatter {
		a, inA := x.django.get(name)
		b, inB := x.latchkey.get(name)
		if a != b || inA != inB {
			found = append(found, difference{name, shown(a, inA), shown(b, inB)})
		}
	}
	a, b := tokensIn(x.django.body), tokensIn(x.latchkey.body)
	maskedA, maskedB := mask(x.django.body, a), mask(x.latchkey.body, b)
	if maskedA != maskedB {
		return append(found, difference{"body", quotedShort(maskedA), quotedShort(maskedB)})
	}
	for _, name := range []string{"refresh", "access"} {
		if a[name] != "" {
			found = append(found, tokenDifferences(name, x, a[name], b[name])...)
		}
	}
	return found
}

// tokensIn are the JWTs in the fields of a JSON object.
func tokensIn(body []byte) map[string]string {
	var fields map[string]any
	if json.Unmarshal(body, &fields) != nil {
		return nil
	}
	found := map[string]string{}
	for name, value := range fields {
		text, _ := value.(string)
		if _, ok := parseToken(text); ok {
			found[name] = text
		}
	}
	return found
}

// mask takes the tokens out, so that what is left can be compared byte by byte.
func mask(body []byte, tokens map[string]string) string {
	text := string(body)
	for _, t := range tokens {
		text = strings.ReplaceAll(text, t, "{token}")
	}
	return text
}

var hexID = regexp.MustCompile(`^"[0-9a-f]{32}"$`)

// tokenDifferences compares two tokens: header, claims in their order, values, times as seen from the answer.
func tokenDifferences(name string, x *exchange, django, latchkey string) (found []difference) {
	a, _ := parseToken(django)
	b, _ := parseToken(latchkey)
	if a.header != b.header {
		found = append(found, difference{name + " header", a.header, b.header})
	}
	b.claims = slices.DeleteFunc(b.claims, func(c claim) bool {
		_, copied := a.claim(c.name)
		return slices.Contains(ownClaims, c.name) && !copied
	})
	if namesOf(a) != namesOf(b) {
		return append(found, difference{name + " claims", namesOf(a), namesOf(b)})
	}
	for i, c := range a.claims {
		if !sameClaim(c.name, c.value, b.claims[i].value, x) {
			found = append(found, difference{name + "." + c.name, c.value, b.claims[i].value})
		}
	}
	return found
}

func namesOf(t token) string {
	var names []string
	for _, c := range t.claims {
		names = append(names, c.name)
	}
	return strings.Join(names, " ")
}

func sameClaim(name, a, b string, x *exchange) bool {
	if a == b {
		return true
	}
	switch name {
	case "jti":
		return hexID.MatchString(a) && hexID.MatchString(b)
	case "exp", "iat":
		timeA, errA := strconv.ParseInt(a, 10, 64)
		timeB, errB := strconv.ParseInt(b, 10, 64)
		return errA == nil && errB == nil && sameTime(timeA, timeB, x)
	}
	return false
}

// slack is for whole seconds and for claims that were copied from a token of an earlier step.
const slack = 3 * time.Second

// sameTime compares times as told by each server at its own moment.
func sameTime(django, latchkey int64, x *exchange) bool {
	apart := time.Duration(latchkey-django) * time.Second
	earliest := x.latchkey.began.Sub(x.django.ended) - slack
	latest := x.latchkey.ended.Sub(x.django.began) + slack
	return -slack <= apart && apart <= latest || earliest <= apart && apart <= latest
}

func shown(value string, there bool) string {
	if !there {
		return "none"
	}
	return strconv.Quote(value)
}

func quotedShort(text string) string {
	if len(text) > 600 {
		text = text[:600] + "…"
	}
	return strconv.Quote(text)
}
