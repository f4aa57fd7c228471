package clienttest

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"latchkey/latchkeytest"
	"latchkey/latchkeytest/debian"
)

// The website of the agent's maker. Latchkey fetches no document from an address that is private or its own machine's, so that
// the test takes place in two networks of its own: the website is alone in one of them.
const (
	makerHost    = "agent.example.com"
	makerAddress = "93.184.215.14"
	ownAddress   = "93.184.215.1"
	makerRole    = "CLIENTTEST_MAKER"
)

// enterNetwork runs its arguments in a network where the website's name is known.
const enterNetwork = `set -e; mount --bind "$1" /etc/hosts; shift; ip link set lo up; exec "$@"`

// TestClientDocument lets an agent in that nobody has registered: its client_id is the URL of a document of its maker.
func TestClientDocument(t *testing.T) {
	t.Parallel()
	if folder := os.Getenv(makerRole); folder != "" {
		clientDocument(t, folder)
		return
	}
	debian.Need(t, debian.Programs("unshare", "mount", "ip"), "util-linux", "mount", "iproute2")
	needPackages(t)
	if out, err := exec.CommandContext(t.Context(), "unshare", "--map-root-user", "--net", "--mount", "--",
		"ip", "link", "add", "one", "type", "veth", "peer", "name", "two").CombinedOutput(); err != nil {
		// Where a container may not make networks there is no address that the server would fetch from. The same is tested over
		// loopback, by the server's own leave, in server/oauth.
		t.Skipf("networks of its own can't be made here: %v: %s", err, out)
	}
	folder := t.TempDir()
	hosts := filepath.Join(folder, "hosts")
	write(t, hosts, []byte("127.0.0.1 localhost\n"+makerAddress+" "+makerHost+"\n"))
	binary, err := latchkeytest.Binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--map-root-user", "--net", "--mount", "--",
		"/bin/sh", "-c", enterNetwork, "sh", hosts, os.Args[0], "-test.run=^TestClientDocument$", "-test.v", "-test.timeout=3m")
	cmd.Env = append(os.Environ(), makerRole+"="+folder, latchkeytest.BinaryVariable+"="+binary)
	cmd.WaitDelay = patience
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("in networks of its own: %v", err)
	}
	t.Logf("%s", out)
}

// clientDocument is the test inside its network.
func clientDocument(t *testing.T, folder string) {
	fetched := serveMaker(t, folder)
	l := demoIn(t, latchkeytest.Config{Env: []string{"SSL_CERT_FILE=" + filepath.Join(folder, "ca.pem"), "CLIENTTEST_MAKER_URL=https://" + makerHost}})
	l.test(t, "node", "node", "--test", "--test-reporter=spec", "mcp-client-document.test.js")
	if n := fetched.Load(); n != 1 {
		t.Errorf("the document was fetched %d times by all logins and refreshes together, want once", n)
	}
}

// serveMaker serves the documents and counts how often the good one is fetched.
func serveMaker(t *testing.T, folder string) (fetched *atomic.Int64) {
	t.Helper()
	fetched = &atomic.Int64{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /client.json", func(w http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		writeDocument(w, "https://"+makerHost+"/client.json")
	})
	mux.HandleFunc("GET /of-another.json", func(w http.ResponseWriter, _ *http.Request) {
		writeDocument(w, "https://"+makerHost+"/client.json")
	})
	listener := tls.NewListener(listenElsewhere(t), &tls.Config{Certificates: []tls.Certificate{certificate(t, folder, makerHost)}})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: patience}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return fetched
}

// listenElsewhere makes another network, joined to this one by a cable, and listens there.
func listenElsewhere(t *testing.T) net.Listener {
	t.Helper()
	type result struct {
		net.Listener
		error
	}
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	made := make(chan result)
	go func() {
		// The network is that of this thread, which therefore ends with the goroutine; sockets stay where they were made.
		runtime.LockOSThread()
		listener, err := net.Listener(nil), syscall.Unshare(syscall.CLONE_NEWNET)
		for _, command := range []string{
			fmt.Sprintf("ip link add website type veth peer name latchkey netns /proc/%d/fd/%d", os.Getpid(), here.Fd()),
			"ip address add " + makerAddress + "/24 dev website",
			"ip link set website up",
		} {
			if err == nil {
				err = run(command)
			}
		}
		if err == nil {
			listener, err = net.Listen("tcp", net.JoinHostPort(makerAddress, "443"))
		}
		made <- result{listener, err}
		<-t.Context().Done()
	}()
	website := <-made
	err = website.error
	for _, command := range []string{"ip address add " + ownAddress + "/24 dev latchkey", "ip link set latchkey up"} {
		if err == nil {
			err = run(command)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return website.Listener
}

func run(command string) error {
	args := strings.Fields(command)
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, out)
	}
	return nil
}

// writeDocument writes a document in the shape that common clients publish: a loopback redirect URI without the port that is
// used later, a grant type that this server does not have, a logo on another host.
func writeDocument(w http.ResponseWriter, id string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "max-age=600")
	json.NewEncoder(w).Encode(map[string]any{
		"client_id": id, "client_name": "An agent", "client_uri": "https://" + makerHost,
		"logo_uri":                   "https://cdn.example.net/logo.png",
		"redirect_uris":              []string{"http://localhost/callback", "http://127.0.0.1/callback"},
		"grant_types":                []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"response_types":             []string{"code"},
		"token_endpoint_auth_method": "none",
	})
}
