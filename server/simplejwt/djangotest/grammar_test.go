package djangotest

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
)

const (
	obtainPath    = "/api/token/"
	refreshPath   = "/api/token/refresh/"
	verifyPath    = "/api/token/verify/"
	blacklistPath = "/api/token/blacklist/"
)

var paths = []string{obtainPath, refreshPath, verifyPath, blacklistPath}

// fieldsOf are the fields of each path's body.
func fieldsOf(path string) []string {
	switch path {
	case obtainPath:
		return []string{"username", "password"}
	case verifyPath:
		return []string{"token"}
	}
	return []string{"refresh"}
}

// grammar makes scenarios out of random numbers: the same ones for the same seed and index.
type grammar struct {
	*rand.Rand
	users []account
	// rotates tells whether a refresh gives a new refresh token.
	rotates bool
}

// rules are the categories, with how often each is drawn.
var rules = []struct {
	weight   int
	category string
	make     func(*grammar) *scenario
}{
	{14, "fields", (*grammar).fields},
	{7, "credentials", (*grammar).credentials},
	{12, "malformed JSON", (*grammar).malformed},
	{5, "JSON of another shape", (*grammar).shape},
	{8, "encoding", (*grammar).encoding},
	{8, "form", (*grammar).form},
	{7, "multipart", (*grammar).multipart},
	{7, "content type", (*grammar).contentType},
	{6, "accept", (*grammar).accept},
	{6, "method", (*grammar).method},
	{4, "path", (*grammar).path},
	{6, "order of checks", (*grammar).order},
	{13, "damaged token", (*grammar).damaged},
	{13, "minted token", (*grammar).minted},
	{9, "flow", (*grammar).flow},
}

// draw makes the scenario with this index.
func draw(seed uint64, index int, users []account, rotates bool) *scenario {
	g := &grammar{rand.New(rand.NewPCG(seed, uint64(index))), users, rotates}
	total := 0
	for _, rule := range rules {
		total += rule.weight
	}
	n := g.IntN(total)
	for _, rule := range rules {
		if n -= rule.weight; n < 0 {
			s := rule.make(g)
			s.category = rule.category
			return s
		}
	}
	panic("unreachable")
}

func one(note string, r *request) *scenario {
	return &scenario{note: note, steps: []step{{request: r}}}
}

// chance is true n times out of a hundred.
func (g *grammar) chance(n int) bool { return g.IntN(100) < n }

// user is one who can log in, and fast: both servers trim a password before they compare it.
func (g *grammar) user() account {
	for {
		u := pick(g.Rand, g.users...)
		if u.Active && u.Hasher != "unusable" && u.Hasher != "django" && strings.TrimSpace(u.Password) == u.Password {
			return u
		}
	}
}

// fields: values of every kind in the fields of a JSON body.
func (g *grammar) fields() *scenario {
	path := pick(g.Rand, obtainPath, obtainPath, obtainPath, refreshPath, verifyPath, blacklistPath)
	u := g.user()
	var members, notes []string
	for _, name := range fieldsOf(path) {
		value, note := g.value(), "odd"
		switch {
		case g.chance(12):
			notes = append(notes, name+" missing")
			continue
		case path == obtainPath && g.chance(45):
			value, note = g.spell(map[string]string{"username": u.Username, "password": u.Password}[name]), "good"
		}
		if g.chance(10) {
			members = append(members, g.spell(name)+g.space()+":"+g.space()+g.value())
		}
		members = append(members, g.spell(name)+g.space()+":"+g.space()+value)
		notes = append(notes, name+" "+note)
	}
	if g.chance(20) {
		members = append(members, g.spell(pick(g.Rand, "extra", "Username", "access", "grant_type", "", "csrfmiddlewaretoken"))+":"+g.value())
	}
	g.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	body := g.space() + "{" + g.space() + strings.Join(members, g.space()+","+g.space()) + g.space() + "}" + g.space()
	return one(strings.Join(notes, ", "), post(path, body))
}

// credentials: people who may come in, and people who may not.
func (g *grammar) credentials() *scenario {
	u := pick(g.Rand, g.users...)
	note := "right"
	switch g.IntN(8) {
	case 0:
		u.Password, note = u.Password+pick(g.Rand, "x", "é", "."), "wrong password"
	case 1:
		u.Username, note = pick(g.Rand, "nobody", "", "ALICE", "alic", "alice%", "' OR 1=1 --", "Zoe\u0308-U\u0308ni\u0308code", strings.Repeat("a", 300)), "unknown user"
	case 2:
		u.Username, note = pick(g.Rand, " ", "\t", "\u00a0", "\u2003", "\ufeff", "\u200b", "\u001f", "\u0085", "\u180e")+u.Username, "space before"
	case 3:
		u.Password, note = u.Password+pick(g.Rand, " ", "\n", "\u3000", "\u200b", "\u2028", "\u0000", "\u001c"), "space after"
	case 4:
		u.Password, note = pick(g.Rand, "", " ", "!", "None", "null", strings.Repeat("p", 4096)), "another password"
	}
	body := fmt.Sprintf(`{"username":%s,"password":%s}`, g.spell(u.Username), g.spell(u.Password))
	if g.chance(25) {
		body = url.Values{"username": {u.Username}, "password": {u.Password}}.Encode()
		return one("form, "+note, &request{"POST", obtainPath, []field{{"Content-Type", formType}}, &body})
	}
	var extra []field
	if g.chance(20) {
		extra = append(extra, field{"Authorization", pick(g.Rand, "Bearer x", "Bearer", "Basic eDp5", "bearer a b", "")})
	}
	if g.chance(10) {
		extra = append(extra, field{"Cookie", pick(g.Rand, "sessionid=abc", "csrftoken=x; sessionid=y", "a=b")})
	}
	return one(note, post(obtainPath, body, extra...))
}

// goodBody is a body that a path takes; the token in it is one of nobody's.
func (g *grammar) goodBody(path string) string {
	if path == obtainPath {
		u := g.user()
		return fmt.Sprintf(`{"username": %s, "password": %s}`, quoted(u.Username), quoted(u.Password))
	}
	return fmt.Sprintf(`{%q: "eyJhbGciOiJIUzI1NiJ9.e30.x"}`, fieldsOf(path)[0])
}

// contentType: names of types that are parsed, and that are not.
func (g *grammar) contentType() *scenario {
	path := pick(g.Rand, paths...)
	body := g.goodBody(path)
	if g.chance(30) {
		body = "username=alice&password=wonderland-7&refresh=x&token=x"
	}
	if g.chance(10) {
		body = ""
	}
	value := pick(g.Rand, "application/json", "APPLICATION/JSON", "application/json;", "application/json; x=y", "application/json;charset", "application/*", "*/*",
		"application/vnd.api+json", "text/json", "text/plain", "application/xml", formType, "APPLICATION/x-www-form-urlencoded", formType+"; charset=UTF-8",
		"multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=x", "", "json", "application", "application/", "/json", "application / json",
		"application/json, text/plain", "application/json; q=0", " application/json ", "application/x-json", "application/octet-stream", "application/json/x",
		`application/json; charset="utf-8"; version=1`, "image/png", "application/jsonp", "application/json ;charset=utf-8")
	r := &request{"POST", path, []field{{"Content-Type", value}}, &body}
	if g.chance(8) {
		r.header = nil
	}
	return one(value, r)
}

// accept: what the client says it reads, in the header and in the query.
func (g *grammar) accept() *scenario {
	path := pick(g.Rand, paths...)
	r := post(path, g.goodBody(path))
	note := ""
	if g.chance(75) {
		value := pick(g.Rand, acceptable...)
		if g.chance(25) {
			value += pick(g.Rand, ", ", ",", " , ") + pick(g.Rand, plain...)
		}
		r.header, note = append(r.header, field{"Accept", value}), value
		if g.chance(10) {
			value = pick(g.Rand, plain...)
			r.header, note = append(r.header, field{"Accept", value}), note+" and "+value
		}
	}
	if g.chance(45) {
		query := pick(g.Rand, "?format=json", "?format=api", "?format=", "?format=JSON", "?format=xml", "?format=json&format=api", "?format=api&format=json", "?x=1", "?format",
			"?Format=api", "?format=json%20", "?format=admin", "?a=%ff&format=json", "??format=api")
		r.target, note = r.target+query, note+" "+query
	}
	if g.chance(20) {
		r.method = pick(g.Rand, "GET", "OPTIONS", "PUT", "HEAD")
	}
	return one(note, r)
}

var acceptable = []string{
	"application/json", "*/*", "application/*", "text/html", "text/*", "application/xml", "", " ", "application/json;q=0.1", "application/json; q=0", "*/json", "*",
	"application/json; indent=4", "application/json; indent=0", "application/json;indent=x", "application/json; indent=99", "application/json; charset=utf-8",
	"APPLICATION/JSON", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json, text/plain, */*", "application/vnd.api+json",
	"application/json;version=2", "text/html;level=1", ",", ";", "application/", "image/*;q=0.5", "application/json;;", "json",
}

// plain are types without parameters. Among types with the same number of them the package chooses at random: it
// keeps them in a set.
var plain = []string{"application/json", "*/*", "application/*", "text/html", "text/*", "application/xml", "", "image/png", "*", "json"}

// method: every method on every path, with and without a body.
func (g *grammar) method() *scenario {
	path := pick(g.Rand, paths...)
	r := &request{method: pick(g.Rand, "GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "OPTIONS", "TRACE", "FOO", "PROPFIND", "LINK"), target: path}
	if g.chance(40) {
		body := pick(g.Rand, g.goodBody(path), "{", "", "[]")
		r.body, r.header = &body, []field{{"Content-Type", pick(g.Rand, "application/json", "text/plain", formType)}}
	}
	if g.chance(20) {
		r.header = append(r.header, field{"X-HTTP-Method-Override", pick(g.Rand, "POST", "GET")})
	}
	return one(r.method, r)
}

// path: the slash at the end and other spellings of a path.
func (g *grammar) path() *scenario {
	path := pick(g.Rand, paths...)
	bare := strings.TrimSuffix(path, "/")
	target := pick(g.Rand, bare, bare, bare+"?a=1&b=%20x", bare+"//", "/"+path, strings.Replace(path, "token", "Token", 1), path+"x", path+"x/", strings.Replace(path, "t", "%74", 1),
		"/api/./token/", "/api/x/../token/", "/api/", "/api", path+"%20", path+".json", path+"?", bare+"%2F", "/api/tokens/", "/API/TOKEN/", path+";x", "/api/token/%00/")
	r := post(target, g.goodBody(path))
	if g.chance(35) {
		r.method = pick(g.Rand, "GET", "HEAD", "PUT", "DELETE", "OPTIONS")
	}
	return one(r.method+" "+target, r)
}

// order: several faults at once, of which one answer tells.
func (g *grammar) order() *scenario {
	path := pick(g.Rand, paths...)
	body := pick(g.Rand, g.goodBody(path), "{", "", "[]", "{}", `{"username":null}`, "\xff", "username=x")
	r := &request{pick(g.Rand, "POST", "POST", "POST", "GET", "PUT", "OPTIONS", "HEAD"), path, nil, &body}
	r.header = append(r.header, field{"Content-Type", pick(g.Rand, "application/json", "text/plain", formType, "multipart/form-data", "")})
	if g.chance(60) {
		r.header = append(r.header, field{"Accept", pick(g.Rand, "text/html", "*/*", "application/json", "")})
	}
	if g.chance(35) {
		r.target += pick(g.Rand, "?format=api", "?format=json", "?format=xml")
	}
	if g.chance(25) {
		r.header = append(r.header, field{"Authorization", pick(g.Rand, "Bearer x", "Bearer x y", "Token abc")})
	}
	return one("", r)
}
