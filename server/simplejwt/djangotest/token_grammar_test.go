package djangotest

import (
	"fmt"
	"slices"
	"strings"
)

// useOf posts the token {{name}} to a path.
func useOf(path, name string) step {
	return step{request: post(path, fmt.Sprintf(`{%q: "{{%s}}"}`, fieldsOf(path)[0], name))}
}

var tokenPaths = []string{refreshPath, refreshPath, verifyPath, blacklistPath}

// damaged: a token that the server itself gave, spoilt on its way.
func (g *grammar) damaged() *scenario {
	d := pick(g.Rand, damages(g.Rand)...)
	from := pick(g.Rand, "refresh", "refresh", "access")
	s := &scenario{note: d.name + " of " + from, steps: []step{
		login(g.user()),
		{spoil: &d, from: from, into: "spoilt"},
		useOf(pick(g.Rand, tokenPaths...), "spoilt"),
	}}
	if g.chance(30) {
		s.steps = append(s.steps, useOf(pick(g.Rand, tokenPaths...), from))
	}
	return s
}

// minted: tokens with the right signature and claims of every kind.
func (g *grammar) minted() *scenario {
	m := &minted{header: usualHeader, alg: "HS256", key: secretKey}
	if g.chance(15) {
		m.header = pick(g.Rand, `{"typ":"JWT","alg":"HS256"}`, `{"alg":"HS256"}`, `{"alg":"HS256","typ":"at+jwt"}`, `{"alg":"HS256","typ":"JWT","kid":"x"}`, `{"alg":"HS256","typ":5}`, `{"alg":"HS512","typ":"JWT"}`,
			`{"alg":"none"}`, `{"alg":"HS256","kid":null}`, `{"alg":"HS256","b64":false}`, `{"alg":"HS256","crit":["exp"]}`, `{"alg":"HS256","jku":"http://127.0.0.1:9/"}`)
	}
	if g.chance(8) {
		m.alg = pick(g.Rand, "HS384", "HS512", "none")
	}
	if g.chance(8) {
		m.key = pick(g.Rand, secretKey+" ", "", strings.ToUpper(secretKey))
	}
	var note string
	m.claims, note = g.claims()
	if m.header != usualHeader {
		note += ", header " + m.header
	}
	s := &scenario{note: note, steps: []step{{mint: m, into: "made"}, useOf(pick(g.Rand, tokenPaths...), "made")}}
	for g.chance(40) && len(s.steps) < 5 {
		s.steps = append(s.steps, useOf(pick(g.Rand, tokenPaths...), "made"))
	}
	return s
}

// claims are those of a token with one or two of them changed.
func (g *grammar) claims() (text, note string) {
	kind := pick(g.Rand, "refresh", "refresh", "refresh", "access", "sliding")
	id := fmt.Sprintf("%016x%016x", g.Uint64(), g.Uint64())
	names := []string{"token_type", "exp", "iat", "jti", "user_id"}
	values := map[string]string{"token_type": quoted(kind), "exp": "{{now+3600}}", "iat": "{{now-60}}", "jti": quoted(id), "user_id": pick(g.Rand, "1", `"1"`, "3", `"3"`)}
	note = kind
	for range g.IntN(3) {
		name := pick(g.Rand, names...)
		if g.chance(30) {
			delete(values, name)
			note += ", no " + name
			continue
		}
		values[name] = g.claim(name, id)
		note += ", " + name + " " + values[name]
	}
	if g.chance(25) {
		name, value := g.extraClaim()
		if _, there := values[name]; !there {
			names = append(names, name)
		}
		values[name] = value
		note += ", " + name + " " + value
	}
	if g.chance(5) {
		return pick(g.Rand, "[]", `"x"`, "1", "null", "", "{", `{"exp":1`, "{}", "\xff", `{"a":1}x`, `{"token_type":"refresh","exp":{{now+9}},"jti":"`+id+`","user_id":NaN}`), "odd payload"
	}
	var members []string
	for _, name := range names {
		if value, there := values[name]; there {
			members = append(members, quoted(name)+":"+value)
		}
	}
	return "{" + strings.Join(members, ",") + "}", note
}

// claim is an odd value for a claim that simplejwt looks at.
func (g *grammar) claim(name, id string) string {
	odd := []string{`null`, `""`, `[]`, `{}`, `true`, `false`, `"x"`, `0`, `-1`, `1.5`}
	switch name {
	case "token_type":
		odd = append(odd, `"access"`, `"refresh"`, `"sliding"`, `"REFRESH"`, `"refresh "`, `["refresh"]`, `"untyped"`)
	case "exp":
		odd = append(odd, `{{now-1}}`, `{{now-86400}}`, `{{now+9999999}}`, `"{{now+60}}"`, `{{now+60}}.5`, `" {{now+60}} "`, `1e11`, `253402300800`, `99999999999999`, `9e99`, `{{now-60}}.9`)
	case "iat":
		odd = append(odd, `{{now+600}}`, `{{now-99999999}}`, `"{{now-60}}"`, `{{now-60}}.5`, `1e9`, `"1e9"`)
	case "jti":
		// Text of its own for each token: the package keeps one list of what is blacklisted.
		odd = slices.DeleteFunc(odd, func(s string) bool { return s == `"x"` || s == `""` })
		odd = append(odd, quoted(strings.ToUpper(id)), quoted(id+id), quoted(id[:8]+"-"+id[8:]), quoted("é"+id), `5`, quoted(id+strings.Repeat("j", 300)), `[`+quoted(id)+`]`)
	case "user_id":
		odd = append(odd, `2`, `"2"`, `99`, `"99"`, `"alice"`, `1.0`, `"1.0"`, `" 1 "`, `"01"`, `"+1"`, `9223372036854775808`, `-9223372036854775808`, `"1_0"`, `"١"`, `8`, `"8"`)
	}
	return pick(g.Rand, odd...)
}

// extraClaim is one that a site of its own may have put into its tokens, or one that a library looks at.
func (g *grammar) extraClaim() (name, value string) {
	switch g.IntN(4) {
	case 0:
		return "nbf", pick(g.Rand, `{{now-60}}`, `{{now+600}}`, `"x"`, `null`, `"{{now-5}}"`, `1.5`)
	case 1:
		return pick(g.Rand, "aud", "iss", "sub"), pick(g.Rand, `"x"`, `["x"]`, `5`, `null`, `{}`, `""`)
	case 2:
		return pick(g.Rand, "fam", "gen", "par", "sid", "seal"), pick(g.Rand, `"x"`, `1`, `null`, `"00000000-0000-7000-8000-000000000000"`, `{}`)
	}
	return pick(g.Rand, "username", "roles", "tenant", "é", "", "a b"), pick(g.Rand, `"alice"`, `["a","b"]`, `{"deep":{"x":[1.5,null]}}`, `1e3`, `1.10`, `"é<&>\u2028"`, `12345678901234567890123`, `true`, `-0.0`, `"\ud83d\ude00"`)
}

// flow: sequences that an application goes through.
func (g *grammar) flow() *scenario {
	if g.rotates && g.chance(50) {
		return g.chain()
	}
	u := g.user()
	refresh := func(name, capture string) step {
		s := useOf(refreshPath, name)
		s.capture = capture
		return s
	}
	old := useOf(refreshPath, "refresh")
	switch g.IntN(9) {
	case 0:
		return &scenario{note: "refresh and refresh again", steps: []step{login(u), refresh("refresh", "a"), refresh("refresh", "b"), refresh("refresh", "c")}}
	case 1:
		return &scenario{note: "access is no refresh", steps: []step{login(u), useOf(refreshPath, "access"), useOf(blacklistPath, "access"), old}}
	case 2:
		return &scenario{note: "logout", steps: []step{login(u), useOf(blacklistPath, "refresh"), old, useOf(verifyPath, "refresh"), useOf(verifyPath, "access"), useOf(blacklistPath, "refresh")}}
	case 3:
		return &scenario{note: "verify both", steps: []step{login(u), useOf(verifyPath, "access"), useOf(verifyPath, "refresh"), old}}
	case 4:
		second := login(u)
		second.capture = "two"
		return &scenario{note: "two sessions", steps: []step{login(u), second, useOf(blacklistPath, "refresh"), refresh("tworefresh", "x"), old}}
	case 5:
		body := "refresh={{refresh}}"
		return &scenario{note: "refresh by form", steps: []step{login(u), {request: &request{"POST", refreshPath, []field{{"Content-Type", formType}}, &body}}}}
	case 6:
		body := "--B\r\nContent-Disposition: form-data; name=\"refresh\"\r\n\r\n{{refresh}}\r\n--B--\r\n"
		return &scenario{note: "refresh by multipart", steps: []step{login(u), {request: &request{"POST", refreshPath, []field{{"Content-Type", "multipart/form-data; boundary=B"}}, &body}}}}
	case 7:
		r := post(refreshPath, `{"refresh": "{{refresh}}"}`, field{"Authorization", "Bearer {{access}}"}, field{"Accept", "application/json, text/plain, */*"})
		return &scenario{note: "as axios does", steps: []step{login(u), {request: r}}}
	}
	denied := useOf(refreshPath, "refresh")
	denied.request.header = append(denied.request.header, field{"Accept", "text/html"})
	return &scenario{note: "a refused request costs no token", steps: []step{login(u), denied, old}}
}

// chain follows the successors that a rotating server gives.
func (g *grammar) chain() *scenario {
	u := g.user()
	steps := []step{login(u)}
	last := "refresh"
	for i := range 1 + g.IntN(3) {
		s := useOf(refreshPath, last)
		s.capture = string(rune('a' + i))
		steps = append(steps, s)
		last = s.capture + "refresh"
	}
	for range 1 + g.IntN(3) {
		name := pick(g.Rand, "refresh", last, "arefresh", "aaccess")
		steps = append(steps, useOf(pick(g.Rand, tokenPaths...), name))
	}
	return &scenario{note: "a chain", steps: steps}
}
