package djangotest

import (
	"fmt"
	"net/url"
	"strings"
)

const formType = "application/x-www-form-urlencoded"

// form: fields in a query's syntax, in order and out of it.
func (g *grammar) form() *scenario {
	path := pick(g.Rand, obtainPath, obtainPath, refreshPath, verifyPath, blacklistPath)
	u := g.user()
	good := map[string]string{"username": u.Username, "password": u.Password, "refresh": "a.b.c", "token": "garbage"}
	var pairs []string
	for _, name := range fieldsOf(path) {
		if g.chance(12) {
			continue
		}
		value := url.QueryEscape(good[name])
		if g.chance(35) {
			value = pick(g.Rand, "", "+", "%20", "%09%0a", "%", "%zz", "%4", "%00", "a%00b", "%ff", "%c3", "%E2%82%AC", "a=b", "null", "true", "a+b", "%2B", "é", "\xe9", "x%0d%0ay", "%u1234", "[]", "a;b", "%ed%a0%80")
		}
		pair := g.percent(name) + "=" + value
		if g.chance(8) {
			pair = name
		}
		pairs = append(pairs, pair)
		if g.chance(12) {
			pairs = append(pairs, name+"="+pick(g.Rand, "", "x", "alice", "+"))
		}
	}
	if g.chance(20) {
		pairs = append(pairs, pick(g.Rand, "", "=", "=x", "&", "extra=1", "Username=x", "username[]=x", "%00=1", "csrfmiddlewaretoken=x", "_method=PUT", "_content=x&_content_type=application/json"))
	}
	body := strings.Join(pairs, pick(g.Rand, "&", "&", "&", "&", "&&", ";"))
	if g.chance(8) {
		body = pick(g.Rand, "", "&", "&&&", "=", "username", "\xff\xfe", "{}", `{"username":"alice"}`, "username=alice&password=wonderland-7&", "\ufeffusername=alice")
	}
	kind := formType
	if g.chance(25) {
		kind += pick(g.Rand, "; charset=utf-8", "; charset=latin-1", "; charset=klingon", "; charset=ascii", "; charset=utf-16", ";", "; charset")
	}
	return one("", &request{"POST", path, []field{{"Content-Type", kind}}, &body})
}

// percent writes a name with some characters escaped, which means the same.
func (g *grammar) percent(name string) string {
	if g.chance(85) {
		return name
	}
	at := g.IntN(len(name))
	return name[:at] + fmt.Sprintf("%%%02x", name[at]) + name[at+1:]
}

// multipart: parts as browsers write them, and as nobody does.
func (g *grammar) multipart() *scenario {
	path := pick(g.Rand, obtainPath, obtainPath, refreshPath, verifyPath)
	u := g.user()
	boundary := pick(g.Rand, "XX", "----WebKitFormBoundaryabc", "a b", "x'y", "=_?", strings.Repeat("b", 70))
	end := pick(g.Rand, "\r\n", "\r\n", "\r\n", "\r\n", "\n")
	good := map[string]string{"username": u.Username, "password": u.Password, "refresh": "a.b.c", "token": "garbage"}
	var b strings.Builder
	if g.chance(8) {
		b.WriteString(pick(g.Rand, "preamble", end, "--"))
		b.WriteString(end)
	}
	for _, name := range fieldsOf(path) {
		if g.chance(10) {
			continue
		}
		value := good[name]
		if g.chance(25) {
			value = pick(g.Rand, "", " ", "\t", "x\x00y", "\xff", "é", "a\r\nb", "null", "--"+boundary[:1], strings.Repeat("v", 3000))
		}
		b.WriteString("--" + boundary + end + g.partHeader(name, end) + end + value + end)
		if g.chance(10) {
			b.WriteString("--" + boundary + end + g.partHeader(name, end) + end + "again" + end)
		}
	}
	b.WriteString(pick(g.Rand, "--"+boundary+"--"+end, "--"+boundary+"--"+end, "--"+boundary+"--"+end, "--"+boundary+"--"+end, "--"+boundary+"--", "--"+boundary, "", "--"+boundary+"--"+end+"epilogue"))
	body := b.String()
	parameter := "; boundary=" + boundary
	if strings.ContainsAny(boundary, " '=?") && g.chance(80) {
		parameter = `; boundary="` + boundary + `"`
	}
	if g.chance(15) {
		parameter = pick(g.Rand, "", "; boundary=", "; boundary=other", "; Boundary="+boundary, "; boundary="+boundary+"; charset=utf-8", "; charset=utf-8; boundary="+boundary, ";boundary="+boundary, "; boundary="+strings.Repeat("z", 300), "; boundary=é")
	}
	return one(parameter, &request{"POST", path, []field{{"Content-Type", "multipart/form-data" + parameter}}, &body})
}

func (g *grammar) partHeader(name, end string) string {
	if g.chance(75) {
		return `Content-Disposition: form-data; name="` + name + `"` + end
	}
	return pick(g.Rand,
		`content-disposition: form-data; name="`+name+`"`+end,
		`Content-Disposition: form-data; name=`+name+end,
		`Content-Disposition: form-data; name="`+name+`"; filename="x.txt"`+end,
		`Content-Disposition: form-data; name="`+name+`"; filename=""`+end,
		`Content-Disposition: form-data; name="`+name+`"`+end+`Content-Type: text/plain; charset=utf-8`+end,
		`Content-Disposition: form-data; name="`+name+`"`+end+`Content-Type: application/json`+end,
		`Content-Disposition: form-data; name="`+name+`"`+end+`Content-Transfer-Encoding: base64`+end,
		`Content-Disposition: form-data; name="`+name+`"`+end+`Content-Transfer-Encoding: 8bit`+end,
		`Content-Disposition: form-data`+end,
		`Content-Disposition: attachment; name="`+name+`"`+end,
		`Content-Type: text/plain`+end,
		``,
	)
}
