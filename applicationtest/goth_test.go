package applicationtest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	// What docs/examples/applications/goth.go is built with: it is in no module.
	_ "github.com/markbates/goth/gothic"
	_ "github.com/markbates/goth/providers/openidConnect"
)

func TestGoth(t *testing.T) {
	t.Parallel()
	application{
		name: "goth", example: "goth.go", here: []string{"--no-require-pkce"},
		callback: "/auth/callback", postLogout: "/goodbye",
		login: "/auth", whoami: "/", logout: "/logout",
		sees:      map[string]string{"Name": fullName, "Email": email, "NickName": username},
		refreshes: true, federated: true,
		wrongSecret: "invalid_client",
		start: func(t *testing.T, s *site) {
			source, program := filepath.Join(s.Folder, "goth.go"), filepath.Join(s.Folder, "goth")
			write(t, source, s.example(t))
			if out, err := exec.Command("go", "build", "-o", program, source).CombinedOutput(); err != nil {
				t.Fatalf("go build: %v: %s", err, out)
			}
			_, port, _ := strings.Cut(s.Address, ":")
			cmd := exec.Command(program)
			cmd.Env = []string{"SSL_CERT_FILE=" + caFile, "PORT=" + port, "SESSION_SECRET=of this test"}
			s.start(t, cmd)
		},
	}.run(t)
}
