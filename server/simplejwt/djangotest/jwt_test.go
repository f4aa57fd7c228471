package djangotest

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var base64url = base64.RawURLEncoding

// signed makes a token out of the JSON texts of its header and its claims.
func signed(header, claims, alg, key string) string {
	input := base64url.EncodeToString([]byte(header)) + "." + base64url.EncodeToString([]byte(claims))
	digest := map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}[alg]
	if digest == nil {
		return input + "."
	}
	mac := hmac.New(digest, []byte(key))
	mac.Write([]byte(input))
	return input + "." + base64url.EncodeToString(mac.Sum(nil))
}

// minted is a token of nobody's, signed with the key that both servers have: as one that Django issued long ago, or worse.
type minted struct {
	header, alg, key string
	// claims is JSON text; {{now}}, {{now+N}} and {{now-N}} stand for times.
	claims string
}

var relativeTime = regexp.MustCompile(`\{\{now([+-][0-9]+)?\}\}`)

func (m *minted) token(now time.Time) string {
	claims := relativeTime.ReplaceAllStringFunc(m.claims, func(s string) string {
		offset, _ := strconv.ParseInt(relativeTime.FindStringSubmatch(s)[1], 10, 64)
		return strconv.FormatInt(now.Unix()+offset, 10)
	})
	return signed(m.header, claims, m.alg, m.key)
}

// claim is one of a token, in its order.
type claim struct {
	name  string
	value string // JSON
}

// token is a decoded JWT.
type token struct {
	header string
	claims []claim
}

// parseToken reads a JWT without checking it; ok is false for other text.
func parseToken(text string) (t token, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return t, false
	}
	header, err := base64url.DecodeString(parts[0])
	if err != nil {
		return t, false
	}
	payload, err := base64url.DecodeString(parts[1])
	if err != nil {
		return t, false
	}
	t.header = string(header)
	in := json.NewDecoder(strings.NewReader(string(payload)))
	if start, err := in.Token(); err != nil || start != json.Delim('{') {
		return t, false
	}
	for in.More() {
		name, err := in.Token()
		if err != nil {
			return t, false
		}
		var value json.RawMessage
		if err := in.Decode(&value); err != nil {
			return t, false
		}
		t.claims = append(t.claims, claim{name.(string), string(value)})
	}
	return t, true
}

func (t token) claim(name string) (value string, ok bool) {
	for _, c := range t.claims {
		if c.name == name {
			return c.value, true
		}
	}
	return "", false
}

// damage spoils a token in one way of its own. What it makes can stand in a JSON string.
type damage struct {
	name  string
	spoil func(token string) string
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// damages draws the parameters of every way there is.
func damages(r *rand.Rand) []damage {
	part := r.IntN(3)
	at := r.IntN(20)
	other := string(alphabet[r.IntN(64)])
	odd := pick(r, " ", "+", "/", "=", ".", "%", "é", "-", "!", `\u0000`, `\n`)
	segment := func(change func(string) string) func(string) string {
		return func(text string) string {
			parts := strings.Split(text, ".")
			parts[part] = change(parts[part])
			return strings.Join(parts, ".")
		}
	}
	swapHeader := pick(r, `{"alg":"none","typ":"JWT"}`, `{"alg":"HS512","typ":"JWT"}`, `{"alg":"RS256","typ":"JWT"}`, `{"typ":"JWT"}`, `{"alg":null}`,
		`{"alg":"HS256","typ":"JWT","kid":5}`, `[]`, `"x"`, `{`, `{"alg":"hs256","typ":"JWT"}`, `{"alg":"HS256","typ":"JWT","crit":["x"]}`)
	return []damage{
		{"replace a character", segment(func(s string) string { return s[:at] + another(s[at], other) + s[at+1:] })},
		{"insert a character", segment(func(s string) string { return s[:at] + odd + s[at:] })},
		{"append to a segment", segment(func(s string) string { return s + odd })},
		{"drop the end of a segment", segment(func(s string) string { return s[:len(s)-1-at] })},
		{"empty a segment", segment(func(string) string { return "" })},
		{"swap segments", func(s string) string {
			parts := strings.Split(s, ".")
			parts[part], parts[(part+1)%3] = parts[(part+1)%3], parts[part]
			return strings.Join(parts, ".")
		}},
		{"two segments", func(s string) string { return s[:strings.LastIndex(s, ".")] }},
		{"four segments", func(s string) string { return s + "." + other }},
		{"upper case", strings.ToUpper},
		{"backwards", func(s string) string {
			b := []byte(s)
			for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
				b[i], b[j] = b[j], b[i]
			}
			return string(b)
		}},
		{"half of it", func(s string) string { return s[:len(s)/2] }},
		{"twice", func(s string) string { return s + s }},
		{"Bearer before it", func(s string) string { return "Bearer " + s }},
		{"white space around it", func(s string) string { return `\t ` + s + ` \n` }},
		{"another header " + swapHeader + ", the signature kept", func(s string) string {
			return base64url.EncodeToString([]byte(swapHeader)) + s[strings.Index(s, "."):]
		}},
		{"another header " + swapHeader + ", signed", func(s string) string {
			parsed, _ := base64url.DecodeString(strings.Split(s, ".")[1])
			return signed(swapHeader, string(parsed), "HS256", secretKey)
		}},
		{"another key", func(s string) string {
			parsed, _ := base64url.DecodeString(strings.Split(s, ".")[1])
			return signed(usualHeader, string(parsed), "HS256", secretKey+"x")
		}},
	}
}

// another is the character other, or the next one when it stands there already: the two servers' tokens are not the same.
func another(c byte, other string) string {
	if string(c) != other {
		return other
	}
	return string(alphabet[(strings.IndexByte(alphabet, c)+1)%len(alphabet)])
}

const usualHeader = `{"alg":"HS256","typ":"JWT"}`

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }
