package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"latchkey/cmd/latchkey/internal/django"
)

type djangoCmd struct {
	Inspect      djangoInspectCmd      `cmd:"" help:"Print the script for manage.py shell that describes the site."`
	Settings     djangoSettingsCmd     `cmd:"" help:"Judge that description, or SIMPLE_JWT alone, and translate it into a configuration file."`
	Import       djangoImportCmd       `cmd:"" help:"Copy what Django's database has."`
	Shadow       djangoShadowCmd       `cmd:"" help:"Run in front of Django and compare what Latchkey would answer."`
	RemoveAbsent djangoRemoveAbsentCmd `cmd:"" help:"Remove what is kept here of users whose account is no longer in Django's table."`
	Report       djangoReportCmd       `cmd:"" help:"Say what the shadow has seen: go or no-go."`
}

type djangoInspectCmd struct{}

func (c *djangoInspectCmd) Help() string {
	return "Run it in the project: latchkey django inspect | python manage.py shell > site.json. It changes nothing and prints no key."
}

func (c *djangoInspectCmd) Run(_ context.Context, a *app) error {
	_, err := io.WriteString(a.stdout, django.Script())
	return err
}

type djangoSettingsCmd struct {
	File string `arg:"" help:"What the script of django inspect printed, or SIMPLE_JWT as JSON; - for standard input."`
	JSON bool   `help:"Print everything as JSON."`
}

func (c *djangoSettingsCmd) Help() string {
	return "The configuration goes to standard output, the result for each key to standard error. Durations are seconds, P7D, " +
		"PT15M, or Python's 7 days, 0:00:00. The exit status is 1 if the configuration can't be used as it is. Signing keys are never printed."
}

func (c *djangoSettingsCmd) Run(_ context.Context, a *app) error {
	from, name := a.stdin, "standard input"
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return usage("the file can't be read: " + err.Error() + ". Name one that exists, or - for standard input.")
		}
		defer f.Close()
		from, name = f, c.File
	}
	dictionary, err := django.Read(from, name)
	if err != nil {
		return usage(err.Error())
	}
	t := django.Translate(dictionary)
	if _, whole := dictionary["latchkey_inspect"]; whole {
		if t, err = django.TranslateSite(dictionary); err != nil {
			return usage(err.Error() + ".")
		}
	}
	if c.JSON {
		err = a.printJSON(t)
	} else if err = reportTranslation(a.stderr, t); err == nil {
		_, err = io.WriteString(a.stdout, t.File())
	}
	if err == nil && len(t.Blocking()) > 0 {
		return errSilent
	}
	return err
}

// reportTranslation writes what happens to each key as a table.
func reportTranslation(w io.Writer, t *django.Translation) error {
	rows := newTable(w, "KEY", "VERDICT", "WHY")
	for _, f := range t.Findings {
		why := f.Finding + "."
		if f.Remedy != "" {
			why += " → " + f.Remedy
		}
		rows.row(f.Key, f.Verdict.String(), why)
	}
	if err := rows.flush(); err != nil {
		return err
	}
	for _, line := range t.Also() {
		fmt.Fprintf(w, "\n%s\n", line)
	}
	if keys := t.Blocking(); len(keys) > 0 {
		fmt.Fprintf(w, "\nlatchkey: the configuration can't be used as it is: decide on %s first.\n", strings.Join(keys, ", "))
	}
	return nil
}

type djangoImportCmd struct {
	Users     djangoImportUsersCmd     `cmd:"" help:"Copy the users with their password hashes."`
	Blacklist djangoImportBlacklistCmd `cmd:"" help:"Copy which tokens Django has ended (rest_framework_simplejwt.token_blacklist)."`
}
