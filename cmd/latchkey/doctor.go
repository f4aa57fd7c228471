package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"latchkey/cmd/latchkey/internal/config"
	"latchkey/server/mail"
	"latchkey/server/web"
)

type doctorCmd struct {
	JSON bool `help:"Print JSON."`
	localFlags
	serverFlags
}

func (c *doctorCmd) Help() string {
	return "Changes nothing. The exit status is 1 if something is wrong, and 0 if there are only warnings."
}

func (c *doctorCmd) Run(ctx context.Context, a *app) error {
	if c.Server != "" {
		return errNeedsDatabase
	}
	a.reading = true
	e := &examination{app: a}
	e.configuration()
	e.database(ctx)
	e.blacklist(ctx)
	e.issuer(ctx)
	e.mail(ctx)
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
		if _, err := fmt.Fprintf(e.app.stdout, "%-8s %-14s %s\n", f.Verdict, f.Check, f.Finding); err != nil {
			return err
		}
		if f.Remedy == "" {
			continue
		}
		if _, err := fmt.Fprintf(e.app.stdout, "%-23s → %s\n", "", f.Remedy); err != nil {
			return err
		}
	}
	return nil
}

// configuration checks the configuration by itself.
func (e *examination) configuration() {
	const check = "configuration"
	before := len(e.findings)
	for _, f := range e.app.configFaults {
		e.wrong(check, f.Subject+" "+f.Problem, f.Remedy)
	}
	s := e.app.settings
	for _, w := range s.Weaknesses() {
		e.warn(check, "--"+w.Name+": "+w.Problem, w.Remedy)
	}
	for _, w := range s.ReadableByOthers() {
		e.wrong("files", w.Problem, w.Remedy)
	}
	if s.Elsewhere {
		e.warn(check, "--server (LATCHKEY_SERVER) is set, and doctor examines the configuration and the database that are here, not that server",
			"Run it on the machine of that server, or unset the variable here.")
	}
	e.addresses()
	e.pages()
	if len(e.findings) == before {
		e.fine(check, "no errors, issuer %s", s.Server.Issuer)
	}
}

// pages reads the operator's overrides, as the server does at its start.
func (e *examination) pages() {
	dir := e.app.settings.Server.PagesDir
	_, err := web.New(web.Config{Dir: dir, Look: e.app.settings.Server.Look, Now: e.app.now})
	switch {
	case err != nil && dir != "":
		e.wrong("pages", oneLine(err), "Fix the file (docs/branding.md), or leave out --pages-dir (LATCHKEY_PAGES_DIR).")
	case err != nil:
		e.wrong("pages", oneLine(err), "Fix the options of the look (docs/branding.md).")
	case dir != "":
		e.fine("pages", "overrides in %s", dir)
	}
}

// addresses compares the issuer with the listeners. The server itself speaks HTTP, so https means a proxy.
func (e *examination) addresses() {
	const check = "configuration"
	s := e.app.settings
	issuer := s.Server.Issuer
	host, port, _ := net.SplitHostPort(s.Server.Listen)
	switch {
	case issuer == "" || s.Server.Listen == "":
		return // faults of the configuration
	case strings.HasPrefix(issuer, "https:") && len(s.Server.TrustedProxies) == 0:
		e.warn(check, "the issuer is https, so the server is behind a proxy, but no proxy is trusted: throttling and audit use the proxy's address instead of the client's",
			"Set --trusted-proxies (LATCHKEY_TRUSTED_PROXIES) to the network of the proxy.")
	case strings.HasPrefix(issuer, "http:") && !config.Loopback(host):
		e.warn(check, "the server at "+s.Server.Listen+" can be reached from other machines, but its issuer "+issuer+" only from this one",
			"Set --issuer (LATCHKEY_ISSUER) to the https URL that clients use, or listen at 127.0.0.1.")
	case strings.HasPrefix(issuer, "http:") && port != "0" && portOfURL(issuer) != port:
		e.warn(check, "the issuer "+issuer+" has a different port from the listener "+s.Server.Listen,
			"Set --issuer (LATCHKEY_ISSUER) to the URL that clients use, unless that port is forwarded.")
	}
	admin := s.Server.AdminListen
	if host, _, _ := net.SplitHostPort(admin); admin != "" && !config.Loopback(host) {
		e.warn(check, "the admin listener at "+admin+" can be reached from other machines; it does not require a login",
			"Set --admin-listen (LATCHKEY_ADMIN_LISTEN) to an address on 127.0.0.1, or block other machines with a firewall.")
	}
}

// mail asks the mail server whether it would accept letters, and sends none.
func (e *examination) mail(ctx context.Context) {
	const check = "mail"
	s := e.app.settings
	if s.SMTP == nil && s.WantsMail() {
		return // a fault of the configuration
	}
	if s.SMTP == nil {
		e.fine(check, "off: no forgotten passwords, no confirmed addresses and no sign-up without --smtp-url (LATCHKEY_SMTP_URL)")
		return
	}
	if _, err := mail.New(mail.Config{From: s.Server.Mail.From, Dir: s.Server.Mail.Templates, Keys: [][]byte{make([]byte, 32)}, Now: e.app.now}); err != nil {
		e.wrong(check, oneLine(err), "Fix the file (docs/accounts.md), or leave out --mail-templates (LATCHKEY_MAIL_TEMPLATES).")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	if err := s.SMTP.Check(ctx); err != nil {
		e.wrong(check, "the mail server at "+s.SMTP.Address()+" does not let letters in: "+oneLine(err), "Fix --smtp-url (LATCHKEY_SMTP_URL), its password, or the server.")
		return
	}
	e.fine(check, "the mail server at %s accepts letters from %s", s.SMTP.Address(), s.Server.Mail.From)
}

// mailTimeout is how long the mail server may take.
const mailTimeout = 15 * time.Second
