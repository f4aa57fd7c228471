package webhooks_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	wire "latchkey/admin"
)

// block returns the first block of code in a language of docs/admin-api.md that has a text.
func block(t *testing.T, language, text string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/admin-api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(page), "```"+language+"\n")[1:] {
		if code, _, _ := strings.Cut(part, "```"); strings.Contains(code, text) {
			return code
		}
	}
	t.Fatalf("no %s with %s", language, text)
	return ""
}

// The receivers of docs/admin-api.md verify what is delivered, and refuse what was changed, signed by someone else or sent long ago.
func TestDocumentedReceivers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := newReceiver(t)
	w, secret := b.target(wire.NewWebhook{URL: r.URL})
	if _, _, err := b.Webhooks().RotateSecret(t.Context(), w, 1e12, false); err != nil {
		t.Fatal(err)
	}
	b.login()
	b.deliver()
	d := r.taken()[0]
	headers := map[string]string{}
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		headers[name] = d.Header.Get(name)
	}
	now := b.Clock.Now().Unix()
	type attempt struct {
		Secret  string            `json:"secret"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
		Now     int64             `json:"now"`
	}
	input, err := json.Marshal([]attempt{
		{secret, headers, d.body, now},
		{secret, headers, d.body + " ", now},
		{"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", headers, d.body, now},
		{secret, headers, d.body, now + 301},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []struct{ program, language, file, rest string }{
		{"python3", "python", "receiver.py", `
import json, sys
print(json.dumps([verify(a["secret"], a["headers"], a["body"].encode(), a["now"]) for a in json.load(sys.stdin)], separators=(",", ":")))
`},
		{"node", "js", "receiver.mjs", `
import { readFileSync } from "node:fs";
console.log(JSON.stringify(JSON.parse(readFileSync(0)).map((a) => verify(a.secret, a.headers, Buffer.from(a.body), a.now))));
`},
	} {
		t.Run(l.program, func(t *testing.T) {
			program, err := exec.LookPath(l.program)
			if err != nil {
				t.Skipf("%s is not installed", l.program)
			}
			file := filepath.Join(t.TempDir(), l.file)
			if err := os.WriteFile(file, []byte(block(t, l.language, "verify(secret")+l.rest), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(program, file)
			cmd.Stdin, cmd.Stderr = strings.NewReader(string(input)), os.Stderr
			out, err := cmd.Output()
			if got := strings.TrimSpace(string(out)); err != nil || got != "[true,false,false,false]" {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
}
