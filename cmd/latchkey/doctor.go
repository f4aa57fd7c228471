package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"latchkey/server/web"
)

type doctorCmd struct {
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *doctorCmd) Help() string {
	return "Changes nothing. The exit status is 1 when something is wrong; warnings alone leave it 0."
}

// verdict is how bad a finding is.
type verdict string

const (
	fine    verdict = "ok"
	warning verdict = "warning"
	wrong   verdict = "wrong"
)

// finding is one thing that doctor looked at.
type finding struct {
	Check   string  `json:"check"`
	Verdict verdict `json:"verdict"`
	Finding string  `json:"finding"`
	// Mend says what to do; empty when all is well.
	Mend string `json:"mend,omitempty"`
}

// examination collects findings.
type examination struct {
	app      *app
	findings []finding
}

func (e *examination) fine(check, format string, args ...any) {
	e.findings = append(e.findings, finding{check, fine, fmt.Sprintf(format, args...), ""})
}

func (e *examination) warn(check, problem, mend string) {
	e.findings = append(e.findings, finding{check, warning, problem, mend})
}

func (e *examination) wrong(check, problem, mend string) {
	e.findings = append(e.findings, finding{check, wrong, problem, mend})
}

// worst is the verdict on everything.
func (e *examination) worst() verdict {
	worst := fine
	for _, f := range e.findings {
		worst = max(worst, f.Verdict) // "ok" < "warning" < "wrong"
	}
	return worst
}

func (c *doctorCmd) Run(ctx context.Context, a *app) error {
	e := &examination{app: a}
	e.configuration()
	e.database(ctx)
	e.issuer(ctx)
	if err := e.print(c.JSON); err != nil {
		return err
	}
	if e.worst() == wrong {
		return errSilent
	}
	return nil
}

func (e *examination) print(asJSON bool) error {
	if asJSON {
		return e.app.printJSON(map[string]any{"verdict": e.worst(), "findings": e.findings})
	}
	for _, f := range e.findings {
		fmt.Fprintf(e.app.stdout, "%-8s %-14s %s\n", f.Verdict, f.Check, f.Finding)
		if f.Mend != "" {
			fmt.Fprintf(e.app.stdout, "%-23s → %s\n", "", f.Mend)
		}
	}
	return nil
}

// configuration says what the configuration alone tells.
func (e *examination) configuration() {
	const check = "configuration"
	before := len(e.findings)
	for _, f := range e.app.configFaults {
		e.wrong(check, f.where+" "+f.problem, f.mend)
	}
	s := e.app.settings
	for _, w := range s.weaknesses() {
		e.warn(check, "--"+w.name+": "+w.problem, w.mend)
	}
	if w := secretMode(s); w != nil {
		e.wrong("files", w.problem, w.mend)
	}
	e.addresses()
	e.pages()
	if len(e.findings) == before {
		e.fine(check, "no faults, issuer %s", s.server.Issuer)
	}
}

// pages reads the operator's overrides, as the server does when it starts.
func (e *examination) pages() {
	dir := e.app.settings.server.PagesDir
	if dir == "" {
		return
	}
	if _, err := web.New(web.Config{Dir: dir, Now: e.app.now}); err != nil {
		e.wrong("pages", oneLine(err), "Mend the file (docs/branding.md), or leave out --pages-dir (LATCHKEY_PAGES_DIR).")
		return
	}
	e.fine("pages", "overrides of %s", dir)
}

// addresses compares the issuer with where the server listens. The server itself speaks http: https means a proxy.
func (e *examination) addresses() {
	const check = "configuration"
	s := e.app.settings
	issuer, host, port := s.server.Issuer, hostOf(s.server.Listen), portOf(s.server.Listen)
	switch {
	case issuer == "" || s.server.Listen == "":
		return // faults, told already
	case strings.HasPrefix(issuer, "https:") && len(s.server.TrustedProxies) == 0:
		e.warn(check, "the issuer is https, so a proxy stands before the server, and no proxy is trusted: throttling and audit see the proxy's address instead of the client's",
			"Name the proxy's network with --trusted-proxies (LATCHKEY_TRUSTED_PROXIES).")
	case strings.HasPrefix(issuer, "http:") && !loopback(host):
		e.warn(check, "the server listens at "+s.server.Listen+", beyond this machine, and its issuer "+issuer+" is for this machine only",
			"Set --issuer (LATCHKEY_ISSUER) to the https URL that clients use, or listen at 127.0.0.1.")
	case strings.HasPrefix(issuer, "http:") && port != "0" && portOfURL(issuer) != port:
		e.warn(check, "the issuer "+issuer+" has another port than the listener "+s.server.Listen,
			"Set --issuer (LATCHKEY_ISSUER) to the URL that clients use, unless something forwards that port.")
	}
	if admin := s.server.AdminListen; admin != "" && !loopback(hostOf(admin)) {
		e.warn(check, "the admin listener at "+admin+" can be reached from other machines; it has no login",
			"Listen at 127.0.0.1, or keep others out with a firewall: --admin-listen (LATCHKEY_ADMIN_LISTEN).")
	}
}
