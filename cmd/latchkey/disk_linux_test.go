package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"latchkey/latchkeytest"
)

// disk is one that gets full, and room again.
type disk struct {
	folder string
	// fill leaves so much room that some more can be written.
	fill func(t *testing.T, s *latchkeytest.Server)
	room func(t *testing.T, s *latchkeytest.Server)
	// says is what the log says while it is full.
	says string
	// doctor says that commands find it full, too.
	doctor bool
}

const leftRoom = 128 << 10

// smallDisk is a file system of its own, which only root can have.
func smallDisk(t *testing.T) disk {
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("no file system can be mounted: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(folder, syscall.MNT_DETACH) })
	filler := filepath.Join(folder, "filler")
	return disk{folder: folder, fill: func(t *testing.T, _ *latchkeytest.Server) {
		var stat syscall.Statfs_t
		if err := syscall.Statfs(folder, &stat); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filler, make([]byte, int(stat.Bavail)*int(stat.Bsize)-leftRoom), 0o600); err != nil {
			t.Fatal(err)
		}
	}, room: func(t *testing.T, _ *latchkeytest.Server) {
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}, says: "database or disk is full", doctor: true}
}

// limitedFiles is a limit of the size of the files that the server writes, which any user can set for their own process.
func limitedFiles(t *testing.T) disk {
	folder := t.TempDir()
	limit := func(t *testing.T, s *latchkeytest.Server, size uint64) {
		l := syscall.Rlimit{Cur: size, Max: ^uint64(0)}
		if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(s.PID()), syscall.RLIMIT_FSIZE, uintptr(unsafe.Pointer(&l)), 0, 0, 0); errno != 0 {
			t.Skipf("prlimit: %v", errno)
		}
	}
	return disk{folder: folder, fill: func(t *testing.T, s *latchkeytest.Server) {
		stat, err := os.Stat(filepath.Join(folder, "latchkey.db-wal"))
		if err != nil {
			t.Fatal(err)
		}
		limit(t, s, uint64(stat.Size())+leftRoom)
	}, room: func(t *testing.T, s *latchkeytest.Server) { limit(t, s, ^uint64(0)) }, says: "disk I/O error"}
}

// diskUser is a client, and a person who logs in.
type diskUser struct {
	*latchkeytest.Server
	t *testing.T
}

// post posts a form or, to /oauth2/register, JSON. The answer is a success, or 503 with Retry-After.
func (u diskUser) post(path string, body url.Values) (good bool, answer map[string]any) {
	u.t.Helper()
	text, kind := body.Encode(), "application/x-www-form-urlencoded"
	if path == "/oauth2/register" {
		text, kind = `{"client_name":"`+body.Get("name")+`","redirect_uris":["https://app.example/cb"],"token_endpoint_auth_method":"none"}`, "application/json"
	}
	client := http.Client{Timeout: latchkeytest.Patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := client.Post(u.Issuer+path, kind, strings.NewReader(text))
	if err != nil {
		u.t.Fatal(err)
	}
	defer r.Body.Close()
	raw, _ := io.ReadAll(r.Body)
	json.Unmarshal(raw, &answer)
	if r.StatusCode == http.StatusServiceUnavailable {
		if r.Header.Get("Retry-After") == "" {
			u.t.Errorf("%s: 503 without Retry-After: %s", path, raw)
		}
		return false, answer
	}
	if r.StatusCode >= 300 {
		u.t.Errorf("%s: %d %s", path, r.StatusCode, raw)
	}
	return r.StatusCode < 300, answer
}

func (u diskUser) login() (token string) {
	u.t.Helper()
	_, answer := u.post("/oauth2/token", url.Values{"grant_type": {"password"}, "client_id": {"app"}, "username": {"alice"}, "password": {"wonderland-7"}})
	token, _ = answer["refresh_token"].(string)
	return token
}

func (u diskUser) refresh(token string) (next string) {
	u.t.Helper()
	_, answer := u.post("/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {token}})
	next, _ = answer["refresh_token"].(string)
	return next
}

// A full disk under SQLite is an outage: what would be written is answered with 503 and Retry-After, what needs no write goes on, what was
// acknowledged stays, and with room again the server goes on by itself. doctor says that the disk is full.
func TestAFullDiskIsAnOutage(t *testing.T) {
	t.Parallel()
	for name, newDisk := range map[string]func(*testing.T) disk{"a small disk": smallDisk, "a limit of file sizes": limitedFiles} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDisk(t)
			s := newServer(t, "sqlite:"+filepath.Join(d.folder, "latchkey.db"))
			s.Env = append(s.Env, "LATCHKEY_REGISTRATION=open", "LATCHKEY_REGISTRATION_LIMIT=10000")
			s.Run("wonderland-7\n", "user", "add", "alice", "--password-stdin")
			s.AddClient("--client-id", "app", "--token-endpoint-auth-method", "none", "--grant-type", "password", "--grant-type", "refresh_token")
			s.Start("serve")
			u := diskUser{s, t}
			live := map[string]bool{} // refresh tokens
			for range 20 {
				if token := u.login(); token != "" {
					live[token] = true
				}
			}
			d.fill(t, s)
			for full := 0; full < 5; {
				token := u.login()
				if token == "" {
					full++
					continue
				}
				live[token] = true
				if len(live) > 5000 {
					t.Fatal("the disk does not get full")
				}
			}
			var ended []string
			refused := map[string]int{}
			for i, token := range slices.Collect(maps.Keys(live)) {
				switch i % 3 {
				case 0:
					if next := u.refresh(token); next != "" {
						delete(live, token)
						live[next] = true
						break
					}
					refused["refresh"]++
				case 1:
					if good, _ := u.post("/oauth2/revoke", url.Values{"client_id": {"app"}, "token": {token}}); good {
						delete(live, token)
						ended = append(ended, token)
						break
					}
					refused["revoke"]++
				case 2:
					if good, _ := u.post("/oauth2/register", url.Values{"name": {fmt.Sprint("app ", i)}}); !good {
						refused["register"]++
					}
				}
			}
			t.Logf("%d sessions; refused: %v", len(live), refused)
			for _, kind := range []string{"refresh", "revoke", "register"} {
				if refused[kind] == 0 {
					t.Errorf("every %s succeeded", kind)
				}
			}
			for _, path := range []string{"/.well-known/openid-configuration", "/oauth2/jwks"} {
				r, err := http.Get(u.Issuer + path)
				if err != nil {
					t.Fatal(err)
				}
				r.Body.Close()
				if r.StatusCode != http.StatusOK {
					t.Errorf("%s: %d", path, r.StatusCode)
				}
			}
			if !strings.Contains(s.Log(), d.says) {
				t.Errorf("the log does not say %q", d.says)
			}
			if d.doctor {
				cmd := exec.Command(s.Binary, "doctor")
				cmd.Dir, cmd.Env = s.Folder, s.Environment()
				if out, err := cmd.Output(); err == nil || !strings.Contains(string(out), "the disk is full") {
					t.Errorf("doctor: %v\n%s", err, out)
				}
			}
			d.room(t, s)
			for end := time.Now().Add(latchkeytest.Patience); u.login() == ""; time.Sleep(100 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("there is room again, and logins are still refused")
				}
			}
			for token := range live {
				if u.refresh(token) == "" {
					t.Error("a session that was acknowledged is lost")
				}
			}
			for _, token := range ended {
				r, err := http.PostForm(u.Issuer+"/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {token}})
				if err != nil {
					t.Fatal(err)
				}
				r.Body.Close()
				if r.StatusCode != http.StatusBadRequest {
					t.Errorf("a session that was ended: %d", r.StatusCode)
				}
			}
		})
	}
}
