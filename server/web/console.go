package web

import (
	"fmt"
	"strconv"
	"time"

	"latchkey/server/route"
	"latchkey/server/web/panel"
)

// Console is a page of the operators' console.
type Console struct{ panel.Page }

func (Console) page() string  { return "console" }
func (Console) asks() demands { return demands{} }

// The longest texts of the console: operators see what arrived nearly whole.
const maxCell = 600

func (v Console) cleaned() View {
	v.Subject, v.Operator, v.Detail = clean(v.Subject, maxIdentifier), clean(v.Operator, maxUsername), clean(v.Detail, maxDescription)
	v.Secrets = cleanFacts(v.Secrets)
	v.Sections = each(v.Sections, func(s *panel.Section) {
		s.Facts = cleanFacts(s.Facts)
		s.Rows = each(s.Rows, func(row *[]panel.Cell) { *row = each(*row, cleanCell) })
	})
	return v
}

func cleanFacts(facts []panel.Fact) []panel.Fact {
	return each(facts, func(f *panel.Fact) { cleanCell(&f.Value) })
}

func cleanCell(c *panel.Cell) { c.Text = clean(c.Text, maxCell) }

// piece is what a template of the console's parts works with.
type piece struct {
	Sheet *sheet
	Cell  panel.Cell
	Facts []panel.Fact
	Form  panel.Form
	Input panel.Input
	// At and ID distinguish the fields of a page.
	At, ID string
}

// Cell, Facts, Form and Input pass a part of the console to its template.
func (s *sheet) Cell(c panel.Cell) piece { return piece{Sheet: s, Cell: c} }

func (s *sheet) Facts(facts []panel.Fact) piece { return piece{Sheet: s, Facts: facts} }

func (s *sheet) Form(f panel.Form, at string) piece { return piece{Sheet: s, Form: f, At: at} }

func (s *sheet) Input(in panel.Input, at string, i int) piece {
	return piece{Sheet: s, Input: in, ID: fmt.Sprintf("%s-%d", at, i)}
}

// chart is a panel.Plot as the template draws it, 240 × 60 units, with the same numbers in words.
type chart struct {
	Title       string
	Bars        []bar
	Total, Most int64
}

// bar is a number of a chart, and the time at which its hour or day begins.
type bar struct {
	X, Y, Width, Height string
	N                   int64
	Begin               *moment
}

const chartWidth, chartHeight = 240.0, 60.0

// Chart returns what the template draws of a plot.
func (s *sheet) Chart(p panel.Plot) chart {
	c := chart{Title: p.Title}
	for _, n := range p.Numbers {
		c.Total, c.Most = c.Total+n, max(c.Most, n)
	}
	step, each := chartWidth/float64(max(len(p.Numbers), 1)), time.Hour
	if p.Daily {
		each = 24 * time.Hour
	}
	for i, n := range p.Numbers {
		height := 0.0
		if n > 0 {
			height = max(1.5, chartHeight*float64(n)/float64(c.Most)) // one of many is still seen
		}
		begin := p.Until.Add(-each * time.Duration(len(p.Numbers)-i)).UTC()
		at := s.locale.moment(begin, begin.Format("15:04"))
		if p.Daily {
			at = s.locale.day(begin)
		}
		c.Bars = append(c.Bars, bar{decimal(float64(i) * step), decimal(chartHeight - height), decimal(step * 0.8), decimal(height), n, at})
	}
	return c
}

func decimal(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) }

// entry is an entry of the console's navigation.
type entry struct {
	Entry panel.Entry
	Path  string
}

// Key returns the key of the entry's text.
func (e entry) Key() string { return "console.nav." + string(e.Entry) }

// Entries returns the entries of the console's navigation.
func (s *sheet) Entries() []entry {
	return []entry{
		{panel.Overview, route.ConsolePath},
		{panel.Users, route.ConsolePath + "/users"},
		{panel.Clients, route.ConsolePath + "/clients"},
		{panel.Webhooks, route.ConsolePath + "/webhooks"},
		{panel.Letters, route.ConsolePath + "/letters"},
		{panel.Keys, route.ConsolePath + "/keys"},
		{panel.Audit, route.ConsolePath + "/audit"},
	}
}
