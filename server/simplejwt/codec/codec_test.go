package codec

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/server/keys"
	"latchkey/storage"
)

const testKey = "legacy-hs256-signing-key-for-tests-0123456789abcdef"

var (
	testNow    = time.Date(2026, 11, 22, 21, 0, 0, 250_000_000, time.UTC)
	testFamily = storage.NewIDFrom(testNow, [10]byte{1, 2, 3})
)

func newCodec(edit ...func(*Config)) *Codec {
	cfg := Config{Algorithm: "HS256", Key: testKey, Compat: Compat55}
	for _, e := range edit {
		e(&cfg)
	}
	return New(cfg)
}

func refresh(generation int64) Refresh {
	r := Refresh{
		UserID: "1", ID: storage.TokenID{0xab, 15: byte(generation)}, Family: testFamily, Generation: generation,
		IssuedAt: testNow, ExpiresAt: testNow.Add(24 * time.Hour),
	}
	if generation > 0 {
		r.Parent = storage.TokenID{0xab, 15: byte(generation - 1)}
	}
	return r
}

// payload gives the text of a token's claims.
func payload(t *testing.T, token string) string {
	t.Helper()
	segments := strings.Split(token, ".")
	if len(segments) != 3 {
		t.Fatalf("%d segments", len(segments))
	}
	b, err := base64.RawURLEncoding.DecodeString(segments[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func mint(t *testing.T, c *Codec, headerText, payloadText string) string {
	t.Helper()
	input := base64.RawURLEncoding.EncodeToString([]byte(headerText)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(payloadText))
	return input + "." + base64.RawURLEncoding.EncodeToString(c.macs[0].sum(nil, []byte(input)))
}

func mustParse(t *testing.T, c *Codec, raw string) *Token {
	t.Helper()
	token, err := c.Parse(context.Background(), raw, testNow)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return token
}

func TestNewRefreshHasDjangosClaimsInDjangosOrderThenOurs(t *testing.T) {
	t.Parallel()
	token, err := newCodec().NewRefresh(context.Background(), refresh(0))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(token, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.") {
		t.Errorf("header of %s", token)
	}
	want := `{"token_type":"refresh","exp":1795467600,"iat":1795381200,"jti":"ab000000000000000000000000000000",` +
		`"user_id":"1","fam":"` + testFamily.String() + `","gen":0}`
	if got := payload(t, token); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestUserIDIsANumberWhereThatIsConfigured(t *testing.T) {
	t.Parallel()
	c := newCodec(func(cfg *Config) { cfg.UserIDInteger = true; cfg.UserIDClaim = "uid" })
	token, _ := c.NewRefresh(context.Background(), refresh(0))
	if got := payload(t, token); !strings.Contains(got, `,"uid":1,`) {
		t.Error(got)
	}
	if got := mustParse(t, c, token).UserIDs(); !slices.Equal(got, []string{"1"}) {
		t.Error(got)
	}
}

// simplejwt writes str(user.pk) unless the key is an int, which it leaves one before 5.5.1.
func TestUserIDThatIsNoIntegerIsText(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"42": `42`, "9223372036854775807": `9223372036854775807`, "9223372036854775808": `"9223372036854775808"`, "042": `"042"`,
		"6f1c2a44-0d1e-4c5b-9a70-1f2e3d4c5b6a": `"6f1c2a44-0d1e-4c5b-9a70-1f2e3d4c5b6a"`, "zo\"e": `"zo\"e"`,
	} {
		for integer, want := range map[bool]string{true: want, false: `"` + strings.Trim(want, `"`) + `"`} {
			c := newCodec(func(cfg *Config) { cfg.UserIDInteger = integer })
			r := refresh(0)
			r.UserID = id
			raw, _ := c.NewRefresh(t.Context(), r)
			if got := payload(t, raw); !strings.Contains(got, `,"user_id":`+want+`,`) {
				t.Errorf("integer %v, id %s: %s", integer, id, got)
			}
			if got := mustParse(t, c, raw).UserIDs(); got[0] != id {
				t.Errorf("%s is read as %q", id, got)
			}
		}
	}
}

func TestRotatedKeepsEveryOtherClaimInItsPlace(t *testing.T) {
	t.Parallel()
	c := newCodec()
	old := mustParse(t, c, mint(t, c, `{"typ":"JWT","alg":"HS256"}`,
		`{"token_type": "refresh", "exp": 1795381201, "jti": "x", "user_id": 1, "roles": [1.0, 1e2, "\u00e9"], "nbf": 5}`))
	token, err := c.Rotated(context.Background(), old, refresh(1))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"token_type":"refresh","exp":1795467600,"jti":"ab000000000000000000000000000001","user_id":1,` +
		`"roles":[1.0,100.0,"\u00e9"],"nbf":5,"iat":1795381200,"fam":"` + testFamily.String() +
		`","gen":1,"par":"ab000000000000000000000000000000"}`
	if got := payload(t, token); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if jti := old.JTI(); jti != "x" {
		t.Errorf("the old token changed: jti %q", jti)
	}
}

func TestRotatedAgainReplacesOurClaims(t *testing.T) {
	t.Parallel()
	c := newCodec()
	first, _ := c.NewRefresh(context.Background(), refresh(0))
	second, _ := c.Rotated(context.Background(), mustParse(t, c, first), refresh(1))
	third, _ := c.Rotated(context.Background(), mustParse(t, c, second), refresh(2))
	token := mustParse(t, c, third)
	generation, _ := token.Generation()
	family, _ := token.Family()
	if generation != 2 || family != testFamily || token.Parent() != (storage.TokenID{0xab, 15: 1}) ||
		token.ID() != (storage.TokenID{0xab, 15: 2}) {
		t.Error(payload(t, third))
	}
	if strings.Count(payload(t, third), `"par"`) != 1 {
		t.Error(payload(t, third))
	}
}

func TestAccessCopiesUnknownClaimsButNotTheChain(t *testing.T) {
	t.Parallel()
	c := newCodec(func(cfg *Config) { cfg.Issuer = "https://i"; cfg.Audience = []string{"api"} })
	r := refresh(1)
	r.Extra = []Claim{StringClaim("username", "Zoë\u2028"), {"roles", `["a",{"b":null}]`}}
	raw, _ := c.NewRefresh(context.Background(), r)
	access, err := c.Access(context.Background(), mustParse(t, c, raw), Access{
		JTI: storage.TokenID{1}, Session: testFamily, IssuedAt: testNow, ExpiresAt: testNow.Add(5 * time.Minute),
		Extra: []Claim{IntClaim("n", -1)},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"token_type":"access","exp":1795381500,"iat":1795381200,"jti":"01000000000000000000000000000000",` +
		`"user_id":"1","n":-1,"username":"Zo\u00eb\u2028","roles":["a",{"b":null}],"aud":"api","iss":"https://i","sid":"` +
		testFamily.String() + `"}`
	if got := payload(t, access); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if sid, ok := mustParse(t, c, access).Session(); !ok || sid != testFamily {
		t.Error(sid, ok)
	}
}

func TestAccessAtLoginNamesTheUser(t *testing.T) {
	t.Parallel()
	access, _ := newCodec().Access(context.Background(), nil, Access{
		UserID: "7", Session: testFamily, IssuedAt: testNow, ExpiresAt: testNow.Add(5 * time.Minute),
	})
	want := `{"token_type":"access","exp":1795381500,"iat":1795381200,"jti":"00000000000000000000000000000000",` +
		`"user_id":"7","sid":"` + testFamily.String() + `"}`
	if got := payload(t, access); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhatIsWrittenIsJSONThatOthersRead(t *testing.T) {
	t.Parallel()
	r := refresh(0)
	r.Extra = []Claim{StringClaim("é\"\\\x01🦄", "<&>\x7f")}
	token, _ := newCodec().NewRefresh(context.Background(), r)
	var claims map[string]any
	if err := json.Unmarshal([]byte(payload(t, token)), &claims); err != nil {
		t.Fatal(err)
	}
	if claims["é\"\\\x01🦄"] != "<&>\x7f" {
		t.Errorf("%q", claims)
	}
}

const (
	plainHeader = `{"alg":"HS256","typ":"JWT"}`
	goodPayload = `{"token_type":"refresh","exp":1795384800,"iat":1795381190,"jti":"a","user_id":"1"}`
)

// with puts another claim into the good payload; an existing one is replaced, since the last one counts.
func with(claim string) string { return goodPayload[:len(goodPayload)-1] + "," + claim + "}" }

func TestParseRefusesInDjangosWords(t *testing.T) {
	t.Parallel()
	c := newCodec()
	good := mint(t, c, plainHeader, goodPayload)
	other := New(Config{Algorithm: "HS256", Key: "another key"})
	hs512 := New(Config{Algorithm: "HS512", Key: testKey})
	tests := []struct {
		name, token string
		kind        Kind
	}{
		{"empty", "", Malformed},
		{"one segment", "garbage", Malformed},
		{"two segments", good[:strings.LastIndexByte(good, '.')], Malformed},
		{"three letters", "a.b.c", Malformed},
		{"surrogate", strings.Replace(good, ".", ".\xed\xa0\x80", 1), Malformed},
		{"reversed dots", "..", Malformed},
		{"header is a list", mint(t, c, `[]`, goodPayload), Malformed},
		{"header twice alg", mint(t, c, `{"alg":"none","alg":"HS256"}`, goodPayload), Malformed},
		{"header crit", mint(t, c, `{"alg":"HS256","crit":["x"],"x":1}`, goodPayload), Malformed},
		{"header empty crit", mint(t, c, `{"alg":"HS256","crit":[]}`, goodPayload), Malformed},
		{"header b64", mint(t, c, `{"alg":"HS256","b64":false}`, goodPayload), Malformed},
		{"header kid number", mint(t, c, `{"alg":"HS256","kid":1}`, goodPayload), Malformed},
		{"header jwk", mint(t, c, `{"alg":"HS256","jwk":{}}`, goodPayload), Malformed},
		{"no alg", mint(t, c, `{"typ":"JWT"}`, goodPayload), BadSignature},
		{"alg none", mint(t, c, `{"alg":"none"}`, goodPayload), BadSignature},
		{"alg None", mint(t, c, `{"alg":"None"}`, goodPayload), BadSignature},
		{"alg null", mint(t, c, `{"alg":null}`, goodPayload), BadSignature},
		{"alg lower case", mint(t, c, `{"alg":"hs256"}`, goodPayload), BadSignature},
		{"alg RS256", mint(t, c, `{"alg":"RS256"}`, goodPayload), BadSignature},
		{"alg HS512, right key", mint(t, hs512, `{"alg":"HS512"}`, goodPayload), BadSignature},
		{"other key", mint(t, other, plainHeader, goodPayload), BadSignature},
		{"no signature", good[:strings.LastIndexByte(good, '.')+1], BadSignature},
		{"short signature", good[:len(good)-2], Malformed},
		{"shorter signature", good[:len(good)-4], BadSignature},
		{"long signature", good + "A", BadSignature},
		{"four segments", good + ".x", Malformed},
		{"expired, other key", mint(t, other, plainHeader, with(`"exp":1`)), BadSignature},
		{"expired", mint(t, c, plainHeader, with(`"exp":1795381195`)), Expired},
		{"expires now", mint(t, c, plainHeader, with(`"exp":1795381200`)), Expired},
		{"exp 0", mint(t, c, plainHeader, with(`"exp":0`)), Expired},
		{"exp negative", mint(t, c, plainHeader, with(`"exp":-1`)), Expired},
		{"exp true", mint(t, c, plainHeader, with(`"exp":true`)), Expired},
		{"exp huge negative", mint(t, c, plainHeader, with(`"exp":-1e300`)), Expired},
		{"exp text", mint(t, c, plainHeader, with(`"exp":"soon"`)), BadClaims},
		{"exp numeric text", mint(t, c, plainHeader, with(`"exp":"1795384800"`)), BadClaims},
		{"exp null", mint(t, c, plainHeader, with(`"exp":null`)), BadClaims},
		{"exp list", mint(t, c, plainHeader, with(`"exp":[]`)), BadClaims},
		{"exp NaN", mint(t, c, plainHeader, with(`"exp":NaN`)), BadClaims},
		{"exp beyond time", mint(t, c, plainHeader, with(`"exp":999999999999999999999`)), BadClaims},
		{"iat text", mint(t, c, plainHeader, with(`"iat":"x"`)), BadClaims},
		{"iat text of a fraction", mint(t, c, plainHeader, with(`"iat":"1.0"`)), BadClaims},
		{"iat text, odd underscore", mint(t, c, plainHeader, with(`"iat":"1__0"`)), BadClaims},
		{"iat text, empty", mint(t, c, plainHeader, with(`"iat":""`)), BadClaims},
		{"iat null", mint(t, c, plainHeader, with(`"iat":null`)), BadClaims},
		{"iat in the future, text", mint(t, c, plainHeader, with(`"iat":" 1795381201"`)), BadClaims},
		{"iat in the future", mint(t, c, plainHeader, with(`"iat":1795381201`)), BadClaims},
		{"nbf in the future", mint(t, c, plainHeader, with(`"nbf":1795381201`)), BadClaims},
		{"nbf in the future, text", mint(t, c, plainHeader, with(`"nbf":"1795381201"`)), BadClaims},
		{"nbf text", mint(t, c, plainHeader, with(`"nbf":"x"`)), BadClaims},
		{"nbf null", mint(t, c, plainHeader, with(`"nbf":null`)), BadClaims},
		{"sub number", mint(t, c, plainHeader, with(`"sub":1`)), BadClaims},
		{"jti number", mint(t, c, plainHeader, with(`"jti":1`)), BadClaims},
		{"jti null", mint(t, c, plainHeader, with(`"jti":null`)), BadClaims},
		{"payload list", mint(t, c, plainHeader, `[]`), BadClaims},
		{"payload text", mint(t, c, plainHeader, `"x"`), BadClaims},
		{"payload broken", mint(t, c, plainHeader, `{`), BadClaims},
		{"payload not UTF-8", mint(t, c, plainHeader, "{\"a\":\"\xff\"}"), BadClaims},
		{"payload deep", mint(t, c, plainHeader, `{"a":`+strings.Repeat("[", 10000)+strings.Repeat("]", 10000)+`}`), BadClaims},
	}
	for _, test := range tests {
		for _, compat := range []Compat{Compat52, Compat55} {
			t.Run(string(compat)+" "+test.name, func(t *testing.T) {
				t.Parallel()
				message := "Token is invalid or expired"
				switch {
				case compat == Compat55 && test.kind == Expired:
					message = "Token is expired"
				case compat == Compat55:
					message = "Token is invalid"
				}
				c := newCodec(func(cfg *Config) { cfg.Compat = compat })
				_, err := c.Parse(context.Background(), test.token, testNow)
				var invalid *Invalid
				if !errors.As(err, &invalid) || invalid.Message != message || invalid.Kind != test.kind {
					t.Errorf("got %v, want %q (%s)", err, message, test.kind)
				}
			})
		}
	}
}

func TestParseIsAsLaxAsPyJWT(t *testing.T) {
	t.Parallel()
	c := newCodec()
	good := mint(t, c, plainHeader, goodPayload)
	signature := strings.LastIndexByte(good, '.') + 1
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", good[len(good)-1])
	tests := map[string]string{
		"as written":             good,
		"junk in signature":      good[:signature+10] + "!!" + good[signature+10:],
		"padding":                good + "=",
		"more padding":           good + "===",
		"behind the padding":     good + "=AAAA",
		"spare bits":             good[:len(good)-1] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last^1]),
		"other order":            mint(t, c, `{"typ":"JWT","alg":"HS256"}`, goodPayload),
		"kid and typ":            mint(t, c, `{"typ":"JOSE","alg":"HS256","kid":"k"}`, goodPayload),
		"exp float":              mint(t, c, plainHeader, with(`"exp":1795381201.5`)),
		"exp of year 9999":       mint(t, c, plainHeader, with(`"exp":99999999999`)),
		"iat float":              mint(t, c, plainHeader, with(`"iat":1795381198.5`)),
		"iat bool":               mint(t, c, plainHeader, with(`"iat":true`)),
		"iat, its fraction cut":  mint(t, c, plainHeader, with(`"iat":1795381200.5`)),
		"iat numeric text":       mint(t, c, plainHeader, with(`"iat":"1795381200"`)),
		"iat text, white space":  mint(t, c, plainHeader, with(`"iat":" 5\n"`)),
		"iat text, negative":     mint(t, c, plainHeader, with(`"iat":"-1"`)),
		"iat text, underscore":   mint(t, c, plainHeader, with(`"iat":"+1_0"`)),
		"iat text, Arabic digit": mint(t, c, plainHeader, with(`"iat":"٣"`)),
		"nbf numeric text":       mint(t, c, plainHeader, with(`"nbf":" +1_0 "`)),
		"foreign iss and aud":    mint(t, c, plainHeader, with(`"iss":"x","aud":["y"]`)),
		"sub text":               mint(t, c, plainHeader, with(`"sub":"1"`)),
		"lone surrogate":         mint(t, c, plainHeader, with(`"x":"\ud800"`)),
		"byte order mark":        mint(t, c, plainHeader, "\ufeff"+goodPayload),
		"white space":            mint(t, c, plainHeader, " \n"+goodPayload+"\t"),
		"surrogate in payload":   mint(t, c, plainHeader, with("\"x\":\"\xed\xa0\x80\"")),
	}
	for name, token := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parsed := mustParse(t, c, token)
			if err := c.Check(parsed, "refresh"); err != nil {
				t.Error(err)
			}
		})
	}
}

// A token is as old as its iat says, in whatever form that PyJWT reads.
func TestIssuedAtOfAnyForm(t *testing.T) {
	t.Parallel()
	c := newCodec()
	for claim, want := range map[string]int64{`"iat":1795381190`: 1795381190, `"iat":"1795381190"`: 1795381190, `"iat":" -1"`: -1, `"iat":1795381190.9`: 1795381190} {
		if got := mustParse(t, c, mint(t, c, plainHeader, with(claim))).IssuedAt(); !got.Equal(time.Unix(want, 0)) {
			t.Errorf("%s: issued at %s", claim, got)
		}
	}
}

func TestLeewayMovesEveryBound(t *testing.T) {
	t.Parallel()
	c := newCodec(func(cfg *Config) { cfg.Leeway = 10 * time.Second })
	for claim, good := range map[string]bool{
		`"exp":1795381191`: true, `"exp":1795381190`: false,
		`"iat":1795381210`: true, `"iat":1795381211`: false,
		`"nbf":1795381210`: true, `"nbf":1795381211`: false,
	} {
		_, err := c.Parse(context.Background(), mint(t, c, plainHeader, with(claim)), testNow)
		if (err == nil) != good {
			t.Errorf("%s: %v", claim, err)
		}
	}
}

func TestIssuerAndAudienceAreDemandedWhenConfigured(t *testing.T) {
	t.Parallel()
	c := newCodec(func(cfg *Config) { cfg.Issuer = "https://i"; cfg.Audience = []string{"api"} })
	for claims, good := range map[string]bool{
		`"iss":"https://i","aud":"api"`:           true,
		`"iss":"https://i","aud":["x","api"]`:     true,
		`"iss":"https://i","aud":["x"]`:           false,
		`"iss":"https://i","aud":["api",1]`:       false,
		`"iss":"https://i","aud":""`:              false,
		`"iss":"https://i","aud":null`:            false,
		`"iss":"https://i","aud":{"api":1}`:       false,
		`"iss":"https://i"`:                       false,
		`"iss":"https://j","aud":"api"`:           false,
		`"iss":["https://i"],"aud":"api"`:         false,
		`"aud":"api"`:                             false,
		`"iss":"https:\/\/i","aud":"\u0061pi"`:    true,
		`"iss":"https://i","aud":"api","exp":"x"`: false,
	} {
		_, err := c.Parse(context.Background(), mint(t, c, plainHeader, with(claims)), testNow)
		if (err == nil) != good {
			t.Errorf("%s: %v", claims, err)
		}
	}
	_, err := c.Parse(context.Background(), mint(t, c, plainHeader, with(`"exp":1`)), testNow)
	if invalid := (*Invalid)(nil); !errors.As(err, &invalid) || invalid.Kind != Expired {
		t.Errorf("expired goes before issuer: %v", err)
	}
}

func TestCheckGoesInDjangosOrder(t *testing.T) {
	t.Parallel()
	c := newCodec()
	tests := []struct{ claims, want, message string }{
		{`{}`, "refresh", "Token has no 'exp' claim"},
		{`{"exp":1795384800}`, "refresh", "Token has no id"},
		{`{"exp":1795384800,"jti":"a"}`, "refresh", "Token has no type"},
		{`{"exp":1795384800,"jti":"a","token_type":"access"}`, "refresh", "Token has wrong type"},
		{`{"exp":1795384800,"jti":"a","token_type":null}`, "refresh", "Token has wrong type"},
		{`{"exp":1795384800,"jti":"","token_type":"refresh"}`, "refresh", ""},
		{`{"exp":1795384800,"jti":"a","token_type":"access"}`, "access", ""},
		{`{"exp":1795384800,"jti":"a","token_type":"banana"}`, "", ""},
		{`{"exp":1795384800,"jti":"a"}`, "", ""},
		{`{"jti":"a"}`, "", "Token has no 'exp' claim"},
		{`{"exp":1795384800}`, "", "Token has no id"},
	}
	for _, test := range tests {
		err := c.Check(mustParse(t, c, mint(t, c, plainHeader, test.claims)), test.want)
		var invalid *Invalid
		switch {
		case test.message == "" && err != nil:
			t.Errorf("%s: %v", test.claims, err)
		case test.message != "" && (!errors.As(err, &invalid) || invalid.Message != test.message):
			t.Errorf("%s: got %v, want %q", test.claims, err, test.message)
		}
	}
}

func TestUserIDIsItsTextOrWhatPythonsIntMakesOfIt(t *testing.T) {
	t.Parallel()
	c := newCodec()
	for raw, want := range map[string]int64{
		`1`: 1, `"1"`: 1, `true`: 1, `1.0`: 1, `1.9`: 1, `" 1 "`: 1, `"+1"`: 1, `"01"`: 1, `"\u0661"`: 1, `"1_0"`: 10,
		`"\u001c1\u2003"`: 1, `"\ud835\udfcf"`: 1,
		`"abc"`: 0, `""`: 0, `null`: 0, `[1]`: 0, `{"a":1}`: 0, `0`: 0, `false`: 0, `-1`: 0, `"-1"`: 0, `"1.0"`: 0,
		`"1__0"`: 0, `"_1"`: 0, `"1_"`: 0, `"+-1"`: 0, `1e300`: 0, `"9223372036854775807"`: 0,
		`NaN`: 0, `"\u00b2"`: 0,
	} {
		token := mustParse(t, c, mint(t, c, plainHeader, strings.Replace(goodPayload, `"user_id":"1"`, `"user_id":`+raw, 1)))
		var subjects []string
		var exact string
		if json.Unmarshal([]byte(raw), &exact) == nil && exact != "" {
			subjects = append(subjects, exact)
		}
		if number := strconv.FormatInt(want, 10); want > 0 && number != exact {
			subjects = append(subjects, number)
		}
		if got := token.UserIDs(); !slices.Equal(got, subjects) {
			t.Errorf("%s: %q, want %q", raw, got, subjects)
		}
	}
	for _, far := range []string{"9223372036854775807", "99999999999999999999"} {
		token := mustParse(t, c, mint(t, c, plainHeader, strings.Replace(goodPayload, `"user_id":"1"`, `"user_id":`+far, 1)))
		if got := token.UserIDs(); !slices.Equal(got, []string{far}) {
			t.Errorf("%s: %q", far, got)
		}
	}
}

func TestTokensOfSimpleJWTNameNoFamily(t *testing.T) {
	t.Parallel()
	c := newCodec()
	for _, claim := range []string{`"x":1`, `"fam":1`, `"fam":"x"`, `"fam":null`} {
		token := mustParse(t, c, mint(t, c, plainHeader, with(claim)))
		if id, ok := token.Family(); ok || !id.IsZero() {
			t.Errorf("%s: %v", claim, id)
		}
	}
}

func TestTokenIDOfHashesForeignIDs(t *testing.T) {
	t.Parallel()
	if id := TokenIDOf("ab0000000000000000000000000000ff"); id != (storage.TokenID{0xab, 15: 0xff}) {
		t.Errorf("%x", id)
	}
	seen := map[storage.TokenID]string{}
	for _, jti := range []string{
		"", "a", "ab0000000000000000000000000000ff", "AB0000000000000000000000000000FF", "ab0000000000000000000000000000f",
		"zb0000000000000000000000000000ff", "é🦄-", strings.Repeat("x", 1000),
	} {
		id := TokenIDOf(jti)
		if before, twice := seen[id]; twice {
			t.Errorf("%q and %q have one id", before, jti)
		}
		seen[id] = jti
	}
}

func TestRetiredKeysOnlyVerify(t *testing.T) {
	t.Parallel()
	old := New(Config{Algorithm: "HS384", Key: "old key"})
	token, _ := old.NewRefresh(context.Background(), refresh(0))
	both := New(Config{Algorithm: "HS384", Key: "new key", PreviousKeys: []storage.Secret{"older key", "old key"}})
	mustParse(t, both, token)
	written, _ := both.NewRefresh(context.Background(), refresh(0))
	if _, err := old.Parse(context.Background(), written, testNow); err == nil {
		t.Error("a token was signed with the retired key")
	}
	if _, err := New(Config{Algorithm: "HS384", Key: "new key"}).Parse(context.Background(), token, testNow); err == nil {
		t.Error("a key that is not configured verified")
	}
}

func TestAsymmetricTokensNameTheirKey(t *testing.T) {
	t.Parallel()
	c := New(Config{
		Algorithm: "ES256",
		Sign: func(_ context.Context, algorithm string) (Signer, error) {
			return Signer{KID: "k1", Sign: func(input []byte) ([]byte, error) {
				return []byte(algorithm + " " + string(input[len(input)-4:])), nil
			}}, nil
		},
		Verify: func(_ context.Context, kid, algorithm string, input, signature []byte) error {
			switch {
			case kid == "down":
				return storage.ErrUnavailable
			case kid != "k1":
				return keys.ErrUnknownKey
			case string(signature) != algorithm+" "+string(input[len(input)-4:]):
				return keys.ErrSignature
			}
			return nil
		},
	})
	token, err := c.NewRefresh(context.Background(), refresh(0))
	if err != nil {
		t.Fatal(err)
	}
	head, _ := base64.RawURLEncoding.DecodeString(token[:strings.IndexByte(token, '.')])
	if string(head) != `{"alg":"ES256","kid":"k1","typ":"JWT"}` {
		t.Errorf("header %s", head)
	}
	mustParse(t, c, token)

	swap := func(header string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + token[strings.IndexByte(token, '.'):]
	}
	forged := token[:len(token)-2]
	if _, err := c.Parse(context.Background(), forged, testNow); !errors.As(err, new(*Invalid)) {
		t.Errorf("forged: %v", err)
	}
	for header, want := range map[string]error{
		`{"alg":"ES256","kid":"k2"}`:               &Invalid{},
		`{"alg":"ES256"}`:                          &Invalid{},
		`{"alg":"HS256","kid":"k1"}`:               &Invalid{},
		`{"alg":"ES256","kid":"down","typ":"JWT"}`: storage.ErrUnavailable,
	} {
		_, err := c.Parse(context.Background(), swap(header), testNow)
		var invalid *Invalid
		if errors.As(want, &invalid) != errors.As(err, &invalid) || err == nil {
			t.Errorf("%s: %v", header, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	c := newCodec()
	sign := func(header, payload string) string {
		input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
		return input + "." + base64.RawURLEncoding.EncodeToString(c.macs[0].sum(nil, []byte(input)))
	}
	for _, payload := range []string{goodPayload, with(`"x":[1.5,{"\u00e9":"\ud800"}]`), `{"exp":1e3}`, "", "{", "\xff", `{"iat":"` + strings.Repeat("9", 50) + `"}`} {
		f.Add(plainHeader, payload, false)
		f.Add(payload, plainHeader, true)
	}
	f.Fuzz(func(t *testing.T, header, payload string, raw bool) {
		token := header + "." + payload
		if !raw {
			token = sign(header, payload)
		}
		parsed, err := c.Parse(context.Background(), token, testNow)
		if err != nil {
			if invalid := (*Invalid)(nil); !errors.As(err, &invalid) {
				t.Fatalf("not an *Invalid: %v", err)
			}
			return
		}
		// What was read can be written, and reads the same again.
		rotated, err := c.Rotated(context.Background(), parsed, refresh(1))
		if err != nil {
			t.Fatal(err)
		}
		again, err := c.Parse(context.Background(), rotated, testNow)
		if err != nil {
			t.Fatalf("own token refused: %v\n%s", err, rotated)
		}
		for _, claim := range parsed.claims {
			switch claim.Name {
			case "jti", "exp", "iat", "fam", "gen", "par":
			default:
				if v, _ := again.Claim(claim.Name); v != claim.Value {
					t.Fatalf("claim %q was %s, is %s", claim.Name, claim.Value, v)
				}
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	c := newCodec()
	token, _ := c.NewRefresh(context.Background(), refresh(1))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Parse(context.Background(), token, testNow); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAccess(b *testing.B) {
	c := newCodec()
	token, _ := c.NewRefresh(context.Background(), refresh(1))
	from, _ := c.Parse(context.Background(), token, testNow)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Access(context.Background(), from, Access{IssuedAt: testNow, ExpiresAt: testNow}); err != nil {
			b.Fatal(err)
		}
	}
}
