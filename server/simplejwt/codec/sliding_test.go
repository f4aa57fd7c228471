package codec

import (
	"context"
	"errors"
	"testing"
	"time"

	"latchkey/storage"
)

func sliding(issued time.Time) Sliding {
	return Sliding{
		UserID: "1", JTI: storage.TokenID{0xab}, Session: testFamily,
		IssuedAt: issued, ExpiresAt: issued.Add(5 * time.Minute), RefreshUntil: issued.Add(24 * time.Hour),
	}
}

func TestSlidingTokensHaveDjangosClaimsInDjangosOrder(t *testing.T) {
	t.Parallel()
	c := newCodec(func(c *Config) { c.Audience, c.Issuer = []string{"api"}, "https://id.example" })
	raw, err := c.NewSliding(context.Background(), sliding(testNow))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"token_type":"sliding","exp":1795381500,"iat":1795381200,"jti":"ab000000000000000000000000000000",` +
		`"refresh_exp":1795467600,"user_id":"1","aud":"api","iss":"https://id.example","sid":"` + testFamily.String() + `"}`
	if got := payload(t, raw); got != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
}

func TestSlidKeepsAllButTheTimes(t *testing.T) {
	t.Parallel()
	c := newCodec()
	old := mustParse(t, c, mint(t, c, `{"alg":"HS256","typ":"JWT"}`,
		`{"token_type":"sliding","exp":1795381300,"jti":"odd","user_id":1,"refresh_exp":1795381999,"colour":"blue"}`))
	s := sliding(testNow)
	s.Extra = []Claim{StringClaim("username", "alice")}
	raw, err := c.Slid(context.Background(), old, s)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"token_type":"sliding","exp":1795381500,"jti":"odd","user_id":1,"username":"alice","refresh_exp":1795381999,` +
		`"colour":"blue","iat":1795381200,"sid":"` + testFamily.String() + `"}`
	if got := payload(t, raw); got != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
}

func TestCheckRefreshable(t *testing.T) {
	t.Parallel()
	const expired = "Token 'refresh_exp' claim has expired"
	for name, test := range map[string]struct {
		claims string
		leeway time.Duration
		want   string // of Compat55
	}{
		"there is time":        {`,"refresh_exp":1795381201`, 0, ""},
		"as a float":           {`,"refresh_exp":1795381200.5`, 0, ""},
		"this very moment":     {`,"refresh_exp":1795381200.25`, 0, expired},
		"past":                 {`,"refresh_exp":1795381200`, 0, expired},
		"past, within leeway":  {`,"refresh_exp":1795381196`, 5 * time.Second, ""},
		"absent":               {``, 0, "Token has no 'refresh_exp' claim"},
		"text":                 {`,"refresh_exp":"soon"`, 0, "Token is invalid"},
		"null":                 {`,"refresh_exp":null`, 0, "Token is invalid"},
		"beyond all calendars": {`,"refresh_exp":1e30`, 0, "Token is invalid"},
	} {
		c := newCodec(func(c *Config) { c.Leeway = test.leeway })
		token := mustParse(t, c, mint(t, c, `{"alg":"HS256","typ":"JWT"}`,
			`{"token_type":"sliding","exp":1795381300,"jti":"a","user_id":1`+test.claims+`}`))
		var got string
		var invalid *Invalid
		if err := c.CheckRefreshable(token, testNow); errors.As(err, &invalid) {
			got = invalid.Message
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestExtraClaimsFollowTheUser(t *testing.T) {
	t.Parallel()
	c := newCodec(func(c *Config) { c.Issuer = "https://id.example" })
	extra := []Claim{StringClaim("username", "zoë"), {"is_staff", "false"}}
	first := refresh(0)
	first.Extra = extra
	raw, err := c.NewRefresh(context.Background(), first)
	if err != nil {
		t.Fatal(err)
	}
	head := `{"token_type":"refresh","exp":1795467600,"iat":1795381200,"jti":"ab000000000000000000000000000000",`
	tail := `"iss":"https://id.example","fam":"` + testFamily.String() + `","gen":0}`
	if got, want := payload(t, raw), head+`"user_id":"1","username":"zo\u00eb","is_staff":false,`+tail; got != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
	// What was there is replaced in its place, what is new follows it.
	old := mustParse(t, c, raw)
	next := refresh(0)
	next.Extra = append(extra[1:2:2], Claim{"email", `""`})
	next.Extra[0].Value = "true"
	if raw, err = c.Rotated(context.Background(), old, next); err != nil {
		t.Fatal(err)
	}
	if got, want := payload(t, raw), head+`"user_id":"1","username":"zo\u00eb","is_staff":true,"email":"",`+tail; got != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
}
