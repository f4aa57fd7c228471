package simplejwt_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
)

// recording is testdata/vectors.json: what a real djangorestframework-simplejwt answered.
type recording struct {
	Fixtures struct {
		Key             storage.Secret `json:"hs256_key"`
		AccessLifetime  int            `json:"access_lifetime"`
		RefreshLifetime int            `json:"refresh_lifetime"`
		SlidingLifetime int            `json:"sliding_lifetime"`
		SlidingRefresh  int            `json:"sliding_refresh_lifetime"`
		AnyProfiles     []string       `json:"any_profiles"`
		Users           []fixtureUser  `json:"users"`
	} `json:"fixtures"`
	Scenarios []*scenario `json:"scenarios"`
}

type fixtureUser struct {
	ID       int64   `json:"id"`
	Username string  `json:"username"`
	Password *string `json:"password"`
	Active   bool    `json:"is_active"`
	Encoded  *string `json:"encoded"`
}

type scenario struct {
	Name     string   `json:"name"`
	Category string   `json:"category"`
	Profile  string   `json:"profile"`
	Requires []string `json:"requires"`
	NotOn    []string `json:"not_on"`
	Steps    []step   `json:"steps"`
}

func readRecording(t *testing.T) *recording {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	r := &recording{}
	if err := json.Unmarshal(text, r); err != nil {
		t.Fatal(err)
	}
	if len(r.Scenarios) < 300 {
		t.Fatalf("%d scenarios", len(r.Scenarios))
	}
	return r
}

// profile is a configuration of the recorded server with ours that plays it.
type profile struct {
	name      string
	configure func(*server.SimpleJWT)
}

func rotation(r clients.Rotation) func(*server.SimpleJWT) {
	return func(c *server.SimpleJWT) { c.Rotation, c.OnReuse = r, clients.OnReuseReject }
}

var profiles = []profile{
	{"norotate", rotation(clients.RotationOff)},
	{"rotate", rotation(clients.RotationReissue)},
	{"rotate_blacklist", rotation(clients.RotationStrict)},
	{"norotate_noapp", rotation(clients.RotationOff)},
	{"revoke", rotation(clients.RotationStrict)},
	{"leeway", func(c *server.SimpleJWT) { c.Rotation, c.Leeway = clients.RotationOff, 10*time.Second }},
	{"issaud", func(c *server.SimpleJWT) {
		c.Rotation, c.Issuer, c.Audience = clients.RotationOff, "https://issuer.example", []string{"legacy-api"}
	}},
	{"rs256", func(c *server.SimpleJWT) { c.Rotation, c.Algorithm, c.SigningKey = clients.RotationOff, "RS256", "" }},
	{"lastlogin", func(c *server.SimpleJWT) { c.Rotation, c.UpdateLastLogin = clients.RotationOff, true }},
	{"locale", rotation(clients.RotationOff)},
	{"browsable", rotation(clients.RotationOff)},
	{"inactive_ok", rotation(clients.RotationOff)},
	{"sliding_auth", rotation(clients.RotationOff)},
}

// stack is one of the recorded stacks with the release that it shows.
type stack struct {
	name   string // as in the file; empty for the main one
	compat string
}

var stacks = []stack{{"", "5.5"}, {"debian12-522", "5.2"}}

// TestRecordedBehaviour plays every recorded request. What differs must be listed, by the name of its scenario, in
// docs/divergences.md; what is listed must differ.
func TestRecordedBehaviour(t *testing.T) {
	t.Parallel()
	rec := readRecording(t)
	for _, st := range stacks {
		t.Run("compat "+st.compat, func(t *testing.T) {
			t.Parallel()
			d := &differences{listed: readDivergences(t, st.compat), seen: map[string]bool{}}
			t.Cleanup(func() { // behind the last profile
				for name := range d.listed {
					if !d.seen[name] {
						t.Errorf("docs/divergences.md lists %s, which does not differ", name)
					}
				}
			})
			for _, p := range profiles {
				t.Run(p.name, func(t *testing.T) {
					t.Parallel()
					playProfile(t, rec, st, p, d)
				})
			}
		})
	}
}

// differences are the scenarios that may differ, and those that did.
type differences struct {
	listed map[string]bool
	mu     sync.Mutex
	seen   map[string]bool
}

func (d *differences) note(name string) (listed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen[name] = true
	return d.listed[name]
}

func playProfile(t *testing.T, rec *recording, st stack, p profile, d *differences) {
	s := startProfile(t, rec, st, p)
	as, differ, skipped := 0, 0, 0
	for _, sc := range rec.Scenarios {
		if !sc.isFor(p.name, rec) {
			continue
		}
		if sc.needsWhatWeLack() || slices.Contains(sc.NotOn, st.name) {
			skipped++
			continue
		}
		play := &player{t: t, s: s, rec: rec, stack: st.name, profile: p.name, vars: map[string]string{}}
		faults := play.run(sc)
		if len(faults) == 0 {
			as++
			continue
		}
		differ++
		if !d.note(sc.Name) {
			t.Errorf("%s (%s):\n  %s", sc.Name, sc.Category, strings.Join(faults, "\n  "))
		}
	}
	t.Logf("%d scenarios as recorded, %d listed ones differ, %d not played", as, differ, skipped)
}

// isFor tells whether the scenario holds under a profile.
func (sc *scenario) isFor(name string, rec *recording) bool {
	if sc.Profile == "any" {
		return slices.Contains(rec.Fixtures.AnyProfiles, name)
	}
	return sc.Profile == name
}

// needsWhatWeLack: there are no session cookies of Django's and no ALLOWED_HOSTS here.
func (sc *scenario) needsWhatWeLack() bool {
	for _, need := range sc.Requires {
		switch need {
		case "django_sessions", "host_check":
			return true
		}
	}
	return false
}

func startProfile(t *testing.T, rec *recording, st stack, p profile) *servertest.Server {
	s := servertest.New(t, servertest.Bare(), servertest.Configure(func(c *server.Config) {
		c.LoginThrottle = false
		c.CORSOrigins = []string{"https://spa.example", "http://localhost:3000"}
		j := &c.SimpleJWT
		j.SigningKey = rec.Fixtures.Key
		j.Compat, j.UserIDInteger = st.compat, st.compat == "5.2"
		j.AccessTokenLifetime = time.Duration(rec.Fixtures.AccessLifetime) * time.Second
		j.RefreshTokenLifetime = time.Duration(rec.Fixtures.RefreshLifetime) * time.Second
		j.Sliding = true
		j.SlidingTokenLifetime = time.Duration(rec.Fixtures.SlidingLifetime) * time.Second
		j.SlidingTokenRefreshLifetime = time.Duration(rec.Fixtures.SlidingRefresh) * time.Second
		p.configure(j)
	}))
	for _, u := range rec.Fixtures.Users {
		addFixtureUser(t, s, u)
	}
	return s
}

func addFixtureUser(t *testing.T, s *servertest.Server, u fixtureUser) {
	t.Helper()
	n := users.NewUser{ID: u.ID, Username: u.Username, Active: u.Active}
	switch {
	case u.Encoded != nil:
		n.PasswordHash = *u.Encoded
	case u.Password != nil:
		password := storage.Secret(*u.Password)
		n.Password = &password
	}
	if _, err := s.Users().Add(t.Context(), n); err == nil {
		return
	}
	// A name or a hash that an operator could not give: Django's own database may hold it.
	row := &storage.User{ID: u.ID, Username: u.Username, PasswordHash: n.PasswordHash, Active: u.Active, CreatedAt: s.Clock.Now()}
	if err := s.Store.CreateUser(t.Context(), row); err != nil {
		t.Fatalf("add user %q: %v", u.Username, err)
	}
	if n.Password != nil {
		if err := s.Users().SetPassword(t.Context(), u.ID, *n.Password); err != nil {
			t.Fatalf("add user %q: %v", u.Username, err)
		}
	}
}

var divergence = regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| ([^|]*) \\| .*\\|$")

// readDivergences gives the scenarios that docs/divergences.md lists for a release: rows of its tables that begin with
// a scenario's name, followed by "both" or the release.
func readDivergences(t *testing.T, compat string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../../docs/divergences.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, row := range divergence.FindAllStringSubmatch(string(text), -1) {
		if row[2] == "both" || row[2] == compat {
			listed[row[1]] = true
		}
	}
	return listed
}
