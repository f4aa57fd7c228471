package applicationtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/latchkeytest/debian"
)

const apache = "/usr/sbin/apache2"

func haveApache() error {
	for _, file := range []string{apache, "/usr/lib/apache2/modules/mod_auth_openidc.so"} {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("mod_auth_openidc: %w", err)
		}
	}
	return nil
}

// apacheFrame is a server around docs/examples/applications/apache.conf that says what the module tells the application.
const apacheFrame = `
ServerRoot "FOLDER"
PidFile "FOLDER/pid"
DefaultRuntimeDir "FOLDER"
ErrorLog "FOLDER/log"
LogLevel warn
ServerName 127.0.0.1
Listen ADDRESS
User www-data
Group www-data
MODULES
OIDCCABundlePath "CA_FILE"
ProxyPass "/goodbye" "!"
ProxyPass "/oidc" "!"
ProxyPass "/" "UPSTREAM/"
`

var modAuthOpenIDC = application{
	name: "mod_auth_openidc", example: "apache.conf", here: []string{"--no-error-iss"}, callback: "/oidc", postLogout: "/goodbye",
	login: "/", whoami: "/", logout: "/oidc?logout={app}/goodbye",
	sees:        map[string]string{"Oidc_claim_name": fullName, "Oidc_claim_email": email, "Oidc_claim_preferred_username": username},
	refreshes:   true,
	federated:   true,
	wrongSecret: "invalid_client",
	start:       startApache,
}

func TestModAuthOpenIDC(t *testing.T) {
	t.Parallel()
	modAuthOpenIDC.run(t)
}

// TestModAuthOpenIDCDenied shows what --no-error-iss is for (J): without it the module takes the answer for a login that began elsewhere.
func TestModAuthOpenIDCDenied(t *testing.T) {
	t.Parallel()
	s := modAuthOpenIDC.begin(t)
	p := newPerson(t)
	p.decision = "deny"
	if end := p.visit(t, s.URL+modAuthOpenIDC.login); !strings.Contains(text(end.body), "access_denied") {
		t.Errorf("the module does not say access_denied: %s", end)
	}
}

func startApache(t *testing.T, s *site) {
	t.Helper()
	debian.Need(t, haveApache, "apache2-bin", "libapache2-mod-auth-openidc")
	if os.Getuid() != 0 {
		t.Fatal(errors.New("Apache needs root to run as www-data"))
	}
	// www-data reaches these folders, which belong to root.
	for _, folder := range []string{filepath.Dir(s.Folder), s.Folder, filepath.Dir(caFile)} {
		if err := os.Chmod(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var modules strings.Builder
	for _, name := range []string{"mpm_event", "authn_core", "authz_core", "authz_user", "proxy", "proxy_http", "auth_openidc"} {
		fmt.Fprintf(&modules, "LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", name, name)
	}
	frame := strings.NewReplacer("FOLDER", s.Folder, "ADDRESS", s.Address, "MODULES", modules.String(), "UPSTREAM", upstream(t), "CA_FILE", caFile)
	config := s.example(t, "PASSPHRASE", "only for this test", "BeforeExpiry 60", "BeforeExpiry 1")
	file := filepath.Join(s.Folder, "apache.conf")
	write(t, file, frame.Replace(apacheFrame)+config)
	s.start(t, exec.Command(apache, "-f", file, "-DFOREGROUND"))
}
