package main

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"latchkey/admin"
)

type clientDoctorCmd struct {
	clientID
	Limit int `default:"20" help:"Maximum number of refusals." placeholder:"N"`
	rootFlags
}

func (c *clientDoctorCmd) Help() string {
	return "Changes nothing. Many refusals at once are not all kept; the log has one line for each."
}

func (c *clientDoctorCmd) Run(ctx context.Context, a *app) error {
	a.reading = true
	if c.Limit < 1 {
		return usage("--limit must be at least 1.")
	}
	found, err := a.refusals(ctx, c.ID, c.Limit)
	if err != nil {
		return explainClient(err, c.ID)
	}
	if c.JSON {
		return a.printJSON(found)
	}
	return a.printRefusals(*found)
}

func (a *app) printRefusals(found admin.Refusals) error {
	if found.Disabled {
		fmt.Fprintf(a.stdout, "The client is disabled.\n  → Enable it: latchkey client enable %s\n", found.ClientID)
	}
	if len(found.Refusals) == 0 {
		_, err := fmt.Fprintf(a.stdout, "No request of client %s was refused of late. "+
			"Requests with another client_id are not here: look for \"refused\" in the server's log.\n", found.ClientID)
		return err
	}
	for _, r := range found.Refusals {
		fmt.Fprintf(a.stdout, "%s  %s  %s  %s\n", when(r.At), r.Error, r.Reason, r.Address)
		for _, line := range [][2]string{
			{"said", r.Description}, {"arrived", r.RedirectURI}, {"registered", r.Nearest}, {"audience", strings.Join(r.Audience, " ")}, {"→", r.Hint},
		} {
			if line[1] != "" {
				fmt.Fprintf(a.stdout, "  %-10s %s\n", line[0], printable(line[1]))
			}
		}
	}
	return nil
}

// printable returns a text of a request without what a terminal would act on.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '\ufffd'
		}
		return c
	}, s)
}
