package main

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/server"
	"latchkey/server/shadow"
	"latchkey/storage"
	"latchkey/storage/directory"
	"latchkey/storage/dryrun"
	"latchkey/storage/postgres"
	"latchkey/storage/sqlite"
)

type djangoShadowCmd struct {
	Upstream string            `required:"" help:"Django, as this machine reaches it." placeholder:"URL"`
	Share    string            `default:"0%" help:"Share of the users that Latchkey answers. Each stays with the side that a larger or smaller share leaves them on." placeholder:"PERCENT"`
	Path     map[string]string `help:"Path of a view at Django, if it is not simplejwt's own: token, refresh, verify or blacklist." placeholder:"ROUTE=/PATH/"`
	State    string            `default:"latchkey-shadow.json" help:"File in which the counts are kept." placeholder:"FILE"`
	serverFlags
}

func (c *djangoShadowCmd) Help() string {
	return "Point the proxy at --listen instead of Django. Django answers; what Latchkey would have answered is compared afterwards, without effects, " +
		"and `latchkey django report` says what differs. Other paths are passed through. Django's answers wait for nothing here: comparisons that don't fit in are dropped and counted."
}

// parseShare reads a percentage.
func parseShare(text string) (float64, error) {
	percent, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !(percent >= 0 && percent <= 100) {
		return 0, usage("--share: " + strconv.Quote(text) + " is no percentage. Write it like 10%.")
	}
	return percent / 100, nil
}

// config checks the flags.
func (c *djangoShadowCmd) config() (cfg shadow.Config, err error) {
	if cfg.Share, err = parseShare(c.Share); err != nil {
		return cfg, err
	}
	cfg.Upstream, err = url.Parse(c.Upstream)
	if err != nil || cfg.Upstream.Host == "" || cfg.Upstream.Scheme != "http" && cfg.Upstream.Scheme != "https" || strings.Trim(cfg.Upstream.Path, "/") != "" {
		return cfg, usage("--upstream: it is not the address of a site. Write it like http://127.0.0.1:8002, without a path.")
	}
	cfg.Upstream.Path, cfg.File, cfg.Paths = "", c.State, map[shadow.Route]string{}
	for name, path := range c.Path {
		route := shadow.Route(name)
		if !slices.Contains([]shadow.Route{shadow.RouteToken, shadow.RouteRefresh, shadow.RouteVerify, shadow.RouteBlacklist}, route) {
			return cfg, usage("--path: there is no route " + strconv.Quote(name) + ". The routes are token, refresh, verify and blacklist.")
		}
		if !strings.HasPrefix(path, "/") {
			return cfg, usage("--path: the path of " + name + " must begin with a slash.")
		}
		cfg.Paths[route] = path
	}
	return cfg, nil
}

// startPause is how long the rehearsing server waits before it tries to start again.
const startPause = 100 * time.Millisecond

func (c *djangoShadowCmd) Run(ctx context.Context, a *app) error {
	defer a.serves()()
	cfg, err := c.config()
	if err != nil {
		return err
	}
	jwt := &a.settings.Server.SimpleJWT
	if !jwt.Enabled || jwt.SigningKey == "" && strings.HasPrefix(jwt.Algorithm, "HS") {
		return usage("the shadow needs Django's key, or no token of Django's can be compared. Set --simplejwt-signing-key (LATCHKEY_SIMPLEJWT_SIGNING_KEY).")
	}
	a.mayCreate = true
	prepare, err := a.openForServing(ctx, false)
	if err != nil {
		return err
	}
	rehearsed, reading, err := a.rehearsal(ctx)
	if err != nil {
		return err
	}
	defer reading.Close()
	root, err := a.root(ctx, a.store)
	if err != nil {
		return err
	}
	names := a.settings.Server.LoginNames
	cfg.Rehearsed, cfg.Rotation = rehearsed.Handler(), string(jwt.Rotation)
	cfg.UserIDClaim, cfg.UsernameField = jwt.UserIDClaim, cmp.Or(jwt.UsernameField, "username")
	if jwt.RefreshCookie != "" {
		cfg.Cookies = []string{"__Host-" + jwt.RefreshCookie, jwt.RefreshCookie}
	}
	cfg.Key, cfg.Logger, cfg.Now = root.Derive("shadow")[0], a.logger(), a.now
	cfg.Subject = func(ctx context.Context, name string) (string, error) {
		check, err := reading.BeginLogin(ctx, storage.LoginAttempt{Username: name, Names: names, Now: a.now()})
		if err != nil || check.User == nil {
			return "", err
		}
		return check.User.Sub(), nil
	}
	var proxy *shadow.Proxy
	a.settings.Server.Prepare = prepare
	a.settings.Server.Front = func(own http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { proxy.ServeHTTP(w, r) })
	}
	// Django's answers may be long, and so may what is sent to it.
	a.settings.Server.Timeouts = server.Timeouts{Read: time.Hour, Write: time.Hour}
	s, err := a.newServer(ctx)
	if err != nil {
		return err
	}
	cfg.Own = s.Handler()
	if proxy, err = shadow.New(cfg); err != nil {
		return err
	}
	a.warn(ctx)
	// Password hashes take whole processors, which this lets the operating system divide.
	runtime.GOMAXPROCS(runtime.NumCPU() + 2)
	running, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Until the server itself has made its first keys the other has none; what comes in meanwhile waits in the queue.
		for rehearsed.Start(running) != nil && running.Err() == nil {
			time.Sleep(startPause)
		}
		go rehearsed.Follow(running)
		proxy.Run(running)
	}()
	err = s.Run(ctx)
	stop()
	<-done
	return err
}

// rehearsal returns a server that only reads.
func (a *app) rehearsal(ctx context.Context) (*server.Server, storage.Store, error) {
	store, err := a.readOnly(ctx)
	if err != nil {
		return nil, nil, err
	}
	reading := dryrun.Store{Store: store}
	root, err := a.root(ctx, a.store)
	if err != nil {
		return nil, nil, err
	}
	cfg := a.settings.Server
	quiet := slog.New(slog.DiscardHandler)
	if a.settings.UsersFrom == "django" {
		url := cmp.Or(a.settings.DjangoDatabase.URL, a.settings.Database.URL) // the statements of a store that pretends join no other tables
		c, err := a.directoryConfig(url.Reveal())
		if err != nil {
			return nil, nil, err
		}
		users := directory.New(reading, *c, cfg.LoginNames, quiet)
		cfg.Directory, cfg.Prepare = users, users.Check
		reading = dryrun.Store{Store: users}
	}
	cfg.Store, cfg.Root, cfg.Now, cfg.Logger = reading, root, a.now, slog.New(dryrun.Reasons{})
	cfg.LoginThrottle, cfg.ShutdownDelay, cfg.SimpleJWT.Blacklist = false, 0, nil
	cfg.Argon2 = "m=64,t=1,p=1" // of new hashes, which go nowhere
	s, err := server.New(cfg)
	return s, reading, err
}

// readOnly opens the database so that it refuses every write.
func (a *app) readOnly(ctx context.Context) (storage.Store, error) {
	d := a.settings.Database
	if d.Postgres() {
		return postgres.Open(ctx, postgres.Config{URL: d.URL.Reveal(), ReadOnly: true, Logger: slog.New(slog.DiscardHandler), Now: a.now})
	}
	return sqlite.Open(ctx, sqlite.Config{Path: d.Path, ReadOnly: true})
}
