package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"golang.org/x/term"
)

// isTerminal tells whether a person reads or types there.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// printJSON prints one value, indented, with a newline at its end.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// table prints rows under headings. In a pipe it is the same text.
func (a *app) table(headings ...string) *table {
	t := &table{w: tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)}
	t.row(headings...)
	return t
}

type table struct{ w *tabwriter.Writer }

func (t *table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = plain(cell)
	}
	fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

func (t *table) flush() error { return t.w.Flush() }

// plain makes text safe to show: names may hold anything, terminal escape sequences included.
func plain(text string) string {
	odd := func(r rune) bool { return !unicode.IsPrint(r) }
	switch {
	case text == "":
		return "-"
	case strings.ContainsFunc(text, odd) || text != strings.TrimSpace(text):
		return strconv.Quote(text)
	}
	return text
}

// when shows a time to the second, or - for none.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// list prints many things, as they come: a JSON array or a table.
type list[T any] struct {
	a        *app
	asJSON   bool
	row      func(T) []string
	table    *table
	printed  int
	progress *progress
}

// listing begins a list. row gives the cells under the headings.
func listing[T any](a *app, asJSON bool, what string, headings []string, row func(T) []string) *list[T] {
	l := &list[T]{a: a, asJSON: asJSON, row: row, progress: a.progress(what)}
	if !asJSON {
		l.table = a.table(headings...)
	}
	return l
}

func (l *list[T]) add(v T) error {
	l.printed++
	l.progress.at(l.printed)
	if !l.asJSON {
		l.table.row(l.row(v)...)
		if l.printed%1000 == 0 { // bounds the memory: a table is held back until its widths are known
			return l.table.flush()
		}
		return nil
	}
	text, err := json.MarshalIndent(v, "  ", "  ")
	if err != nil {
		return err
	}
	before := ",\n  "
	if l.printed == 1 {
		before = "[\n  "
	}
	_, err = fmt.Fprintf(l.a.stdout, "%s%s", before, text)
	return err
}

func (l *list[T]) end() error {
	l.progress.done()
	if !l.asJSON {
		return l.table.flush()
	}
	end := "\n]\n"
	if l.printed == 0 {
		end = "[]\n"
	}
	_, err := io.WriteString(l.a.stdout, end)
	return err
}

// progress shows on a terminal how far long work has come. It is quiet in a pipe, and when the result itself
// scrolls by on the terminal.
type progress struct {
	w     io.Writer // nil = quiet
	what  string
	now   func() time.Time
	shown time.Time
	count int
}

func (a *app) progress(what string) *progress {
	p := &progress{what: what, now: a.now, shown: a.now()}
	if isTerminal(a.stderr) && !isTerminal(a.stdout) {
		p.w = a.stderr
	}
	return p
}

// onTerminal shows the progress even when the result goes to the terminal too.
func (p *progress) onTerminal(stderr io.Writer) *progress {
	if isTerminal(stderr) {
		p.w = stderr
	}
	return p
}

// at notes the count; it is shown after a second's work, and then twice a second.
func (p *progress) at(count int) {
	p.count = count
	if p.w == nil || p.now().Sub(p.shown) < 500*time.Millisecond {
		return
	}
	p.shown = p.now()
	fmt.Fprintf(p.w, "\r%d %s …", count, p.what)
}

func (p *progress) done() {
	if p.w != nil && p.count > 0 {
		fmt.Fprintf(p.w, "\r\x1b[K")
	}
}

// confirm says what was done: the object as JSON, or a sentence.
func (a *app) confirm(asJSON bool, object any, sentence string, names ...string) error {
	if asJSON {
		return a.printJSON(object)
	}
	shown := make([]any, len(names))
	for i, name := range names {
		shown[i] = plain(name)
	}
	_, err := fmt.Fprintf(a.stdout, sentence+"\n", shown...)
	return err
}
