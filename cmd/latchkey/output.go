package main

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"golang.org/x/term"
)

// isTerminal reports whether the stream is a terminal.
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

// newTable returns a table that prints rows under headings. In a pipe it is the same text.
func newTable(w io.Writer, headings ...string) *table {
	t := &table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
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

// plain returns text that is safe to show: names may contain anything, even terminal escape sequences.
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

// when returns a time to the second, or - for none.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// each returns the elements of a slice in the form that print reads.
func each[T any](elements []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, element := range elements {
			if !yield(element, nil) {
				return
			}
		}
	}
}

// list describes how a command prints many elements.
type list[T any] struct {
	app      *app
	asJSON   bool
	what     string // for the progress
	headings []string
	row      func(T) []string // the cells under the headings
}

// print prints the elements while they are read: as a JSON array, or as a table. err is what went wrong before the first one could be read.
func (l list[T]) print(elements iter.Seq2[T, error], err error) error {
	if err != nil {
		return err
	}
	progress := l.app.progress(l.what, false)
	rows := newTable(io.Discard)
	if !l.asJSON {
		rows = newTable(l.app.stdout, l.headings...)
	}
	printed := 0
	for element, err := range elements {
		if err != nil {
			return err
		}
		if l.asJSON {
			err = printMember(l.app.stdout, printed, element)
		} else {
			rows.row(l.row(element)...)
			if printed%1000 == 999 { // bounds the memory: a table is held back until its widths are known
				err = rows.flush()
			}
		}
		if err != nil {
			return err
		}
		printed++
		progress.at(printed)
	}
	progress.done()
	if !l.asJSON {
		return rows.flush()
	}
	end := "\n]\n"
	if printed == 0 {
		end = "[]\n"
	}
	_, err = io.WriteString(l.app.stdout, end)
	return err
}

// printMember prints the member of a JSON array at index i.
func printMember(w io.Writer, i int, v any) error {
	text, err := json.MarshalIndent(v, "  ", "  ")
	if err != nil {
		return err
	}
	before := ",\n  "
	if i == 0 {
		before = "[\n  "
	}
	_, err = fmt.Fprintf(w, "%s%s", before, text)
	return err
}

// progress shows on a terminal how far long work has come. It is silent in a pipe, and, unless it is to be shown always, if the result itself
// is printed on the terminal.
type progress struct {
	w     io.Writer // nil if silent
	what  string
	now   func() time.Time
	shown time.Time
	count int
}

func (a *app) progress(what string, always bool) *progress {
	p := &progress{what: what, now: a.now, shown: a.now()}
	if isTerminal(a.stderr) && (always || !isTerminal(a.stdout)) {
		p.w = a.stderr
	}
	return p
}

// at sets the count, which is shown twice a second.
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

// confirm prints what was done: the object as JSON, or a sentence.
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

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
