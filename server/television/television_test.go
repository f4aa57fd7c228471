package television_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/internal/qr"
	"latchkey/server/servertest"
)

func television(t *testing.T) (*servertest.Server, *servertest.Browser) {
	t.Helper()
	s := servertest.New(t, servertest.Configure(func(c *server.Config) { c.Television = "tv" }))
	s.AddClient(clients.Registration{ID: "tv", Metadata: clients.Metadata{
		ClientName: "Television", Scope: "openid profile", TokenEndpointAuthMethod: "none", GrantTypes: []string{clients.GrantDeviceCode, clients.GrantRefreshToken},
	}})
	return s, s.Browser()
}

var userCode = regexp.MustCompile(`>([A-Z]{4}-[A-Z]{4})<`)

// shown returns the user code in a picture.
func shown(t *testing.T, p *servertest.Page) string {
	t.Helper()
	p.Expect(http.StatusOK)
	found := userCode.FindStringSubmatch(p.Body)
	if found == nil || p.Header.Get("Content-Type") != "image/svg+xml" || p.Header.Get("Refresh") != "6" {
		t.Fatalf("no code in %v %s", p.Header, p.Body)
	}
	return found[1]
}

// RFC 9110 §9.2.1: HEAD has no effects.
func TestHeadAsksForNoCode(t *testing.T) {
	t.Parallel()
	s, _ := television(t)
	if a := s.Do("HEAD", "/television", "").Expect(http.StatusMethodNotAllowed); a.Header.Get("Set-Cookie") != "" {
		t.Error("HEAD begins the login of a device")
	}
}

func TestTelevision(t *testing.T) {
	t.Parallel()
	s, screen := television(t)
	code := shown(t, screen.Get("/television"))
	path, _, err := qr.Path(s.URL + "/device?user_code=" + code)
	if err != nil {
		t.Fatal(err)
	}
	page := screen.Get("/television")
	if again := shown(t, page); again != code || !strings.Contains(page.Body, path) {
		t.Errorf("the code changes from %s to %s, or the picture is that of another address", code, again)
	}

	phone := s.Browser()
	phone.SignIn()
	phone.Get("/device?user_code="+code).Form("/device").Submit().Form("/device").Press("decision", "allow").Expect(http.StatusOK)
	s.Clock.Advance(6 * time.Second)
	if page := screen.Get("/television"); !strings.Contains(page.Body, "Logged in as "+servertest.Username) || page.Header.Get("Refresh") != "" {
		t.Errorf("after the approval: %s", page.Body)
	}
	if next := shown(t, screen.Get("/television")); next == code {
		t.Error("the code is used twice")
	}
}

// A denial, an expired code and a cookie that is none lead to the next code.
func TestTelevisionBeginsAgain(t *testing.T) {
	t.Parallel()
	s, screen := television(t)
	denied := shown(t, screen.Get("/television"))
	phone := s.Browser()
	phone.SignIn()
	phone.Get("/device?user_code="+denied).Form("/device").Submit().Form("/device").Press("decision", "deny").Expect(http.StatusOK)
	s.Clock.Advance(6 * time.Second)
	expired := shown(t, screen.Get("/television"))
	s.Clock.Advance(11 * time.Minute)
	last := shown(t, screen.Get("/television"))
	if denied == expired || expired == last {
		t.Errorf("the codes are %s, %s and %s", denied, expired, last)
	}
	for _, value := range []string{"", ".", "x.<script>", strings.Repeat("a", 4000)} {
		other := s.Browser()
		other.SetCookie("television", value)
		if page := other.Get("/television"); shown(t, page) == "" || strings.Contains(page.Body, "<script>") {
			t.Errorf("%q: %s", value, page.Body)
		}
	}
}

func TestOnlyTheDemoHasATelevision(t *testing.T) {
	t.Parallel()
	servertest.New(t).Get("/television").Expect(http.StatusNotFound)
}
