package simplejwt_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"latchkey/storage"
)

type response struct {
	Status  int                      `json:"status"`
	Headers map[string]string        `json:"headers"`
	Kind    string                   `json:"body_kind"`
	Body    string                   `json:"body"`
	JWT     map[string]*describedJWT `json:"jwt"`
}

type describedJWT struct {
	Header map[string]any `json:"header"`
	Claims []struct {
		Name    string          `json:"name"`
		Type    string          `json:"type"`
		Value   json.RawMessage `json:"value"`
		Pattern string          `json:"pattern"`
	} `json:"claims"`
	Lifetime        *int64 `json:"lifetime"`
	RefreshLifetime *int64 `json:"refresh_lifetime"`
	Signed          bool   `json:"signed_by_fixture_key"`
}

// compared are the headers that must be as recorded, absent ones too.
var compared = []string{"Content-Type", "WWW-Authenticate", "Allow", "Vary", "Location"}

const anyJWT = "{{any_jwt}}"

// compare gives a line for each difference. Bodies are compared byte for byte, with the tokens taken out.
func compare(want *response, got *reply, key storage.Secret) (faults []string) {
	if want.Status >= 500 { // the original crashes: any refusal will do
		if got.status < 400 || got.status >= 500 {
			faults = append(faults, fmt.Sprintf("status %d where the original crashes; body %.200s", got.status, got.body))
		}
		return faults
	}
	if got.status != want.Status {
		faults = append(faults, fmt.Sprintf("status %d, want %d; body %.200s", got.status, want.Status, got.body))
	}
	for _, name := range compared {
		wanted := ""
		for header, value := range want.Headers {
			if strings.EqualFold(header, name) {
				wanted = value
			}
		}
		if have := strings.Join(got.header.Values(name), ", "); have != wanted {
			faults = append(faults, fmt.Sprintf("header %s %q, want %q", name, have, wanted))
		}
	}
	if want.Kind == "page" {
		return faults
	}
	var fields map[string]any
	json.Unmarshal(got.body, &fields)
	body := string(got.body)
	for name, described := range want.JWT {
		text, _ := fields[name].(string)
		token, ok := parseJWT(text)
		if !ok {
			faults = append(faults, fmt.Sprintf("body.%s is no token: %.80q", name, text))
			continue
		}
		body = strings.ReplaceAll(body, text, anyJWT)
		for _, fault := range token.compare(described, key) {
			faults = append(faults, "body."+name+": "+fault)
		}
	}
	if body != want.Body {
		faults = append(faults, fmt.Sprintf("body %.300q, want %.300q", body, want.Body))
	}
	return faults
}

// jwt is a compact token, read without judgement.
type jwt struct {
	text   string
	header members
	claims members
}

func parseJWT(text string) (*jwt, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, false
	}
	t := &jwt{text: text}
	for i, m := range []*members{&t.header, &t.claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return nil, false
		}
		*m = parseMembers(b)
	}
	return t, t.header != nil && t.claims != nil
}

// ourClaims are those that Latchkey adds.
var ourClaims = map[string]bool{"fam": true, "gen": true, "par": true, "sid": true, "seal": true}

func (t *jwt) compare(want *describedJWT, key storage.Secret) (faults []string) {
	header := map[string]any{}
	for _, m := range t.header {
		if m.name != "kid" || want.Header["alg"] == "HS256" {
			header[m.name] = m.value
		}
	}
	if !reflect.DeepEqual(header, want.Header) {
		faults = append(faults, fmt.Sprintf("header %v, want %v", header, want.Header))
	}
	var order, wanted []string
	for _, m := range t.claims {
		if !ourClaims[m.name] {
			order = append(order, m.name)
		}
	}
	for _, c := range want.Claims {
		wanted = append(wanted, c.Name)
		m := t.claims.member(c.Name)
		switch {
		case m == nil:
			continue // the order tells
		case typeName(m) != c.Type:
			faults = append(faults, fmt.Sprintf("claim %s is %s, want %s", c.Name, typeName(m), c.Type))
		case c.Pattern != "" && !regexp.MustCompile(c.Pattern).MatchString(fmt.Sprint(m.value)):
			faults = append(faults, fmt.Sprintf("claim %s %v does not match %s", c.Name, m.value, c.Pattern))
		case c.Value != nil && !sameJSON(m.raw, c.Value):
			faults = append(faults, fmt.Sprintf("claim %s %s, want %s", c.Name, m.raw, c.Value))
		}
	}
	if !reflect.DeepEqual(order, wanted) {
		faults = append(faults, fmt.Sprintf("claims %v, want %v", order, wanted))
	}
	iat, _ := t.claims.get("iat").(float64)
	for name, lifetime := range map[string]*int64{"exp": want.Lifetime, "refresh_exp": want.RefreshLifetime} {
		end, _ := t.claims.get(name).(float64)
		if lifetime == nil {
			continue
		}
		// The recorded server read its clock twice.
		if off := int64(end-iat) - *lifetime; off < -1 || off > 1 {
			faults = append(faults, fmt.Sprintf("%s is %v after iat, want %d", name, end-iat, *lifetime))
		}
	}
	dot := strings.LastIndexByte(t.text, '.')
	if want.Signed && t.text[dot+1:] != segment(sign("HS256", key.Reveal(), t.text[:dot])) {
		faults = append(faults, "not signed with the key of the fixtures")
	}
	return faults
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

func typeName(m *member) string {
	switch v := m.value.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case float64:
		if bytes.ContainsAny(m.raw, ".eE") {
			return "float"
		}
		return "int"
	case string:
		return "string"
	case []any:
		return "array"
	default:
		_ = v
		return "object"
	}
}

// members is a JSON object in its order.
type members []member

type member struct {
	name  string
	value any
	raw   json.RawMessage
}

// parseMembers gives nil for what is no object.
func parseMembers(text []byte) members {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	ms := members{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil
		}
		m := member{name: name.(string)}
		if d.Decode(&m.raw) != nil {
			return nil
		}
		json.Unmarshal(m.raw, &m.value)
		ms = ms.set(m)
	}
	return ms
}

func (ms members) set(m member) members {
	for i := range ms {
		if ms[i].name == m.name {
			ms[i] = m
			return ms
		}
	}
	return append(ms, m)
}

func (ms members) member(name string) *member {
	for i := range ms {
		if ms[i].name == name {
			return &ms[i]
		}
	}
	return nil
}

func (ms members) get(name string) any {
	if m := ms.member(name); m != nil {
		return m.value
	}
	return nil
}

func (ms members) json() []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range ms {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(m.name)
		fmt.Fprintf(&b, "%s:", name)
		json.Compact(&b, m.raw)
	}
	b.WriteByte('}')
	return b.Bytes()
}
