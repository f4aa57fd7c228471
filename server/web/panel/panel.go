// Package panel describes the pages of the operators' console: facts, tables and forms. The package web renders them.
package panel

import (
	"slices"
	"time"
)

// Page is a page of the console. Texts named key are keys of the page's texts; all others may be untrusted.
type Page struct {
	// Active is the entry of the navigation that the page belongs to.
	Active Entry
	// Heading is a key, Subject what the page is about, such as a username; it may be empty.
	Heading, Subject string
	// Operator is who is signed in.
	Operator string
	// Notice says what was done, Problem what was not: keys, or empty. Detail is shown after either.
	Notice, Problem, Detail string
	// Secrets are shown once.
	Secrets  []Fact
	Search   *Form
	Sections []Section
	// Next is the path of the next page of a list; empty = there is none.
	Next string
}

// Entry is an entry of the navigation: the text console.nav.ENTRY.
type Entry string

// The entries of the navigation.
const (
	Overview Entry = "overview"
	Users    Entry = "users"
	Clients  Entry = "clients"
	Webhooks Entry = "webhooks"
	Letters  Entry = "letters"
	Keys     Entry = "keys"
	Audit    Entry = "audit"
)

// Section is a part of a page.
type Section struct {
	// Heading and Text are keys; either may be empty.
	Heading, Text string
	Facts         []Fact
	Plots         []Plot
	// Columns are the keys of the headings of Rows. Empty is the key of the text that is shown without rows.
	Columns []string
	Rows    [][]Cell
	Empty   string
	// More is a path with more of it, or empty.
	More  string
	Forms []Form
}

// Plot shows numbers as bars. Title is a key.
type Plot struct {
	Title string
	// Numbers are the oldest first.
	Numbers []int64
	// Daily means that each is of a day, up to Until; otherwise of an hour.
	Daily bool
	Until time.Time
}

// Fact is a value with its name, a key.
type Fact struct {
	Name  string
	Value Cell
}

// Cell is a value: Key is a key; otherwise Text, with Link a path to it; otherwise the time At.
type Cell struct {
	Key, Text, Link string
	At              time.Time
	Tone            Tone
	// Code means that it is shown in a fixed-width font.
	Code bool
}

// Tone is how a value is marked.
type Tone string

// The tones.
const (
	Plain Tone = ""
	Good  Tone = "good"
	Bad   Tone = "bad"
	Warn  Tone = "warn"
)

// Form is a form. Action is a path; Submit, Note and Title are keys, the latter two may be empty.
type Form struct {
	Action string
	// Get sends it in the address.
	Get                 bool
	Title, Submit, Note string
	Hidden, Inputs      []Input
	// Danger marks what can't be undone.
	Danger bool
}

// Input is a field of a form. Label and Note are keys. Options make it a list, Lines a text of several lines, Check a box to tick. Options
// with Check are boxes with the names NAME.VALUE, of which those of Values are ticked.
type Input struct {
	Name, Label, Note, Value string
	Options                  []Option
	Values                   []string
	Lines, Check, Required   bool
}

// Ticked reports whether the box with a value is ticked.
func (in Input) Ticked(value string) bool { return slices.Contains(in.Values, value) }

// Option is an entry of a list. Label is a key, or empty if the value is shown; Text follows the label.
type Option struct{ Value, Label, Text string }

// Text returns a cell with a text.
func Text(text string) Cell { return Cell{Text: text} }

// Key returns a cell with one of the page's texts.
func Key(key string, tone Tone) Cell { return Cell{Key: key, Tone: tone} }

// Code returns a cell with a text in a fixed-width font.
func Code(text string) Cell { return Cell{Text: text, Code: true} }

// At returns a cell with a time; the zero time is an empty cell.
func At(t time.Time) Cell { return Cell{At: t} }

// Link returns a cell with a text that leads to a path.
func Link(text, path string) Cell { return Cell{Text: text, Link: path} }
