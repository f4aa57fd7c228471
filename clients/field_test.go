package clients_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"latchkey/clients"
	"latchkey/storage"
)

// samples are valid texts by the name of a field without values; other texts are URLs.
var samples = map[string]string{
	"client_name": "Application", "contacts": "admin@app.example", "scope": "openid email", "software_id": "app", "software_version": "2",
	"brand_accent": "#0b6b4f", "brand_accent_dark": "#7fd8b8",
	"jwks": `{"keys":[{"kty":"OKP"}]}`,
}

func sample(f clients.Field) string {
	switch f.Type {
	case clients.Boolean:
		return "true"
	case clients.Seconds:
		return "60"
	case clients.Interval:
		return "1m"
	}
	if len(f.Values) > 0 {
		return f.Values[0]
	}
	if text := samples[f.Name]; text != "" {
		return text
	}
	return "https://app.example/" + f.Flag()
}

// with returns valid metadata and a policy in which a field is set to a text.
func with(t *testing.T, f clients.Field, text string) clients.Registration {
	t.Helper()
	reg := clients.Registration{Metadata: clients.Metadata{
		RedirectURIs: []string{"https://app.example/cb"}, BackchannelLogoutURI: "https://app.example/logout",
	}}
	if err := f.Set(&reg, text); err != nil {
		t.Fatalf("%s: %v", f.Name, err)
	}
	return reg
}

// Each field of the table is read from JSON, shown, stored, validated and documented. That it is a flag of the command is tested
// there.
func TestFields(t *testing.T) {
	t.Parallel()
	if n := reflect.TypeFor[clients.Metadata]().NumField() + reflect.TypeFor[clients.Policy]().NumField(); len(clients.Fields) != n {
		t.Fatalf("%d fields, want %d", len(clients.Fields), n)
	}
	for _, f := range clients.Fields {
		reg := with(t, f, sample(f))
		value := isStored(t, f, reg)
		isValidated(t, f)
		if f.Policy {
			continue
		}
		description := fmt.Sprintf(`{%q:%s}`, f.Name, value)
		d, err := clients.ParseDescription([]byte(description))
		if err != nil {
			t.Errorf("%s: %v", description, err)
			continue
		}
		if got := member(t, d.Registration, f.Name); got != value {
			t.Errorf("%s is read as %s, want %s", f.Name, got, value)
		}
		var fault *clients.MetadataError
		_, err = clients.ParseDescription(fmt.Appendf(nil, `{%q:{}}`, f.Name))
		if f.Type != clients.Object && (!errors.As(err, &fault) || fault.Field != f.Name) {
			t.Errorf("%s may be an object: %v", f.Name, err)
		}
	}
}

// member returns the JSON of a member of an object; empty if it has none.
func member(t *testing.T, object any, name string) string {
	t.Helper()
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		t.Fatal(err)
	}
	return string(members[name])
}

// isStored checks that a registration that has the field keeps it in the database and shows it, and returns its JSON.
func isStored(t *testing.T, f clients.Field, reg clients.Registration) string {
	t.Helper()
	value := member(t, reg, f.Name)
	m, p, err := clients.Validate(reg.Metadata, reg.Policy)
	if err != nil && !dependent(err) {
		t.Errorf("%s: %v", f.Name, err)
	}
	if err == nil {
		reg.Metadata, reg.Policy = m, p
	}
	c, err := clients.FromRow(&storage.Client{ID: "app", Metadata: asPostgres(t, reg.Encode())})
	if err != nil {
		t.Fatal(err)
	}
	if got := member(t, c.Response(""), f.Name); value == "" || got != value {
		t.Errorf("%s comes back as %q, want %q", f.Name, got, value)
	}
	return value
}

// dependent reports whether metadata are invalid only because other fields do not match the sample.
func dependent(err error) bool {
	for _, fault := range clients.Faults(err) {
		if !strings.Contains(fault.Description, "exclude each other") && !strings.Contains(fault.Description, "needs") {
			return false
		}
	}
	return true
}

// isValidated checks that an invalid value of the field is refused.
func isValidated(t *testing.T, f clients.Field) {
	t.Helper()
	invalid := "\x01"
	switch f.Type {
	case clients.Boolean: // both values are valid
		return
	case clients.Seconds:
		invalid = "-1"
	case clients.Interval:
		invalid = "36500d"
	case clients.Object:
		invalid = "[]"
	}
	reg := with(t, f, invalid)
	_, _, err := clients.Validate(reg.Metadata, reg.Policy)
	if !slices.ContainsFunc(clients.Faults(err), func(e *clients.MetadataError) bool { return e.Field == f.Name }) {
		t.Errorf("%s may be %q: %v", f.Name, invalid, err)
	}
	var again clients.Registration
	if err := f.Set(&again, ""); err != nil || !reflect.DeepEqual(again, clients.Registration{}) {
		t.Errorf("%s: an empty value does not reset it: %v", f.Name, err)
	}
}

// docs/registration.md has the table of all fields. LATCHKEY_UPDATE_DOCS=1 writes it.
func TestFieldsAreDocumented(t *testing.T) {
	t.Parallel()
	const path, begin, end = "../docs/registration.md", "<!-- fields -->\n", "<!-- /fields -->"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no %q … %q", path, begin, end)
	}
	want := before + begin + fieldTable() + end + after
	if string(text) == want {
		return
	}
	if os.Getenv("LATCHKEY_UPDATE_DOCS") == "" {
		t.Fatalf("%s does not have the table of fields that the code has: run LATCHKEY_UPDATE_DOCS=1 go test ./clients", path)
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func fieldTable() string {
	var b strings.Builder
	b.WriteString("| name | value | |\n|---|---|---|\n")
	policy := false
	for _, f := range clients.Fields {
		if f.Policy && !policy {
			policy = true
			b.WriteString("| **policies** | | set by operators only |\n")
		}
		value := string(f.Type)
		if len(f.Values) > 0 {
			value = "`" + strings.Join(f.Values, "`, `") + "`"
		}
		if f.Type == clients.List && len(f.Values) > 0 {
			value = "array of " + value
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, strings.TrimPrefix(strings.TrimPrefix(value, "a "), "an "), f.Help)
	}
	return b.String()
}

// Postgres writes JSON in its own way; what comes back is what went in.
func TestKeysComeBackAsTheyWentIn(t *testing.T) {
	t.Parallel()
	for _, keys := range []string{
		`{"keys":[{"kty":"EC","crv":"P-384","x":"a","y":"b","use":"sig","x5c":["a","b"],"ext":{"b":1,"a":[{"d":1,"c":2}]}}]}`,
		`{"keys":[{"kty":"\ud800","n":1e300,"exp":1700000000}]}`,
	} {
		m, p, err := clients.Validate(clients.Metadata{RedirectURIs: []string{"https://a.example/cb"}, JWKS: json.RawMessage(keys)}, clients.Policy{})
		if err != nil {
			t.Fatal(err)
		}
		reg := clients.Registration{Metadata: m, Policy: p}
		raw := reg.Encode()
		if strings.Contains(string(raw), `\ud800`) {
			t.Errorf("%s: no database stores half a character", raw)
		}
		c, err := clients.FromRow(&storage.Client{Metadata: asPostgres(t, raw)})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, c.Metadata); diff != "" {
			t.Error(diff)
		}
	}
	var wrong *clients.MetadataError
	if _, _, err := clients.Validate(clients.Metadata{
		RedirectURIs: []string{"https://a.example/cb"}, JWKS: json.RawMessage(`{"keys":[{"kty":"EC","n":1e999999}]}`),
	}, clients.Policy{}); !errors.As(err, &wrong) {
		t.Errorf("a number that no database stores: %v", err)
	}
}

// asPostgres writes a JSON object with its members the other way round, and spaces.
func asPostgres(t *testing.T, raw json.RawMessage) json.RawMessage {
	t.Helper()
	if raw[0] == '[' {
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			t.Fatal(err)
		}
		var parts []string
		for _, v := range list {
			parts = append(parts, string(asPostgres(t, v)))
		}
		return json.RawMessage("[" + strings.Join(parts, ", ") + "]")
	}
	if raw[0] != '{' {
		return raw
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(members))) {
		parts = append(parts, fmt.Sprintf("%q: %s", name, asPostgres(t, members[name])))
	}
	return json.RawMessage("{" + strings.Join(parts, ", ") + "}")
}
