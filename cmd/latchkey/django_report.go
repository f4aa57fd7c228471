package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"latchkey/server/shadow"
)

// shadowState is where a shadow keeps its counts unless --state names another file.
const shadowState = "latchkey-shadow.json"

type djangoReportCmd struct {
	Files    []string `arg:"" optional:"" help:"What shadows have written; by default latchkey-shadow.json." placeholder:"FILE"`
	Rotation string   `help:"Policy to move to, if it is not the shadow's: confirmed or strict." enum:",confirmed,strict" default:"" placeholder:"POLICY"`
	JSON     bool     `help:"Print JSON."`
}

func (c *djangoReportCmd) Help() string {
	return "The exit status is 0 for go and 1 for no-go. Of the files of several shadows the counts are added up."
}

func (c *djangoReportCmd) Run(_ context.Context, a *app) error {
	files := c.Files
	if len(files) == 0 {
		files = []string{shadowState}
	}
	var all []*shadow.State
	for _, file := range files {
		st, err := shadow.Read(file)
		if errors.Is(err, fs.ErrNotExist) {
			return usage(file + " does not exist. Name the file of `latchkey django shadow --state`.")
		}
		if err != nil {
			return err
		}
		all = append(all, st)
	}
	r := shadow.Judge(all, c.Rotation, a.now())
	var err error
	if c.JSON {
		err = a.printJSON(r)
	} else {
		err = a.printReport(r)
	}
	if err == nil && !r.Go {
		return errSilent
	}
	return err
}

// printReport prints the readiness for people.
func (a *app) printReport(r *shadow.Report) error {
	p := a.stdout
	fmt.Fprintf(p, "Compared from %s to %s; policy %s, share %g%%.\n\n", when(r.Began), when(r.Saved), r.Rotation, r.Share*100)
	rows := newTable(p, "ROUTE", "REQUESTS", "COMPARED", "DIFFER", "LATCHKEY", "DROPPED", "FAILED")
	for _, route := range slices.Sorted(maps.Keys(r.Routes)) {
		n := r.Routes[route]
		rows.row(string(route), strconv.FormatInt(n.Requests, 10), strconv.FormatInt(n.Compared, 10), strconv.FormatInt(n.Differ, 10),
			strconv.FormatInt(n.Own, 10), strconv.FormatInt(n.Dropped, 10), strconv.FormatInt(n.Failed, 10))
	}
	if err := rows.flush(); err != nil {
		return err
	}
	if len(r.Differences) > 0 {
		fmt.Fprintf(p, "\n")
		rows := newTable(p, "DIFFERENCE", "ROUTE", "BREAKS", "COUNT", "LAST", "USERS")
		for _, d := range r.Differences {
			var users []string
			for _, e := range d.Examples {
				if e.User != "" && !slices.Contains(users, e.User) {
					users = append(users, plain(e.User))
				}
			}
			rows.row(plain(d.Kind+": "+d.Detail), string(d.Route), yes(d.Breaks), strconv.FormatInt(d.Count, 10), when(d.Last), strings.Join(users, " "))
		}
		if err := rows.flush(); err != nil {
			return err
		}
	}
	if err := printReuse(a, r); err != nil {
		return err
	}
	for _, text := range r.Notes {
		fmt.Fprintf(p, "\nNote: %s.\n", plain(text))
	}
	if r.Go {
		fmt.Fprintf(p, "\nGO\n")
		return nil
	}
	fmt.Fprintf(p, "\nNO-GO\n")
	for _, text := range r.Against {
		fmt.Fprintf(p, "- %s\n", plain(text))
	}
	return nil
}

// printReuse prints who would be logged out by which policy.
func printReuse(a *app, r *shadow.Report) error {
	if r.Reuse.Confirmed.Requests+r.Reuse.Strict.Requests == 0 {
		return nil
	}
	fmt.Fprintf(a.stdout, "\n")
	rows := newTable(a.stdout, "LOGGED OUT BY", "USER", "REQUESTS", "LAST", "APPLICATION")
	for _, policy := range []struct {
		name string
		who  shadow.Broken
	}{{"confirmed", r.Reuse.Confirmed}, {"strict", r.Reuse.Strict}} {
		users := policy.who.Users
		for _, u := range users[:min(len(users), 10)] {
			rows.row(policy.name, plain(u.User), strconv.FormatInt(u.Requests, 10), when(u.Last), plain(u.UserAgent))
		}
		if more := len(users) - 10; more > 0 {
			rows.row(policy.name, "and "+strconv.Itoa(more)+" more", "", "", "")
		}
	}
	return rows.flush()
}
