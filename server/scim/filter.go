package scim

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// What a filter may hold: far more than any client sends.
const (
	maxFilter      = 8192
	maxFilterDepth = 32
)

// expr is a filter (RFC 7644 §3.4.2.2).
type expr interface{ matches(o object) bool }

type (
	// comparison is an attribute, an operator and a value; pr has none.
	comparison struct {
		path  path
		op    string
		value any
		// kept is false for an attribute of RFC 7643 that is never there.
		kept bool
	}
	// logical is and, or.
	logical struct {
		or          bool
		left, right expr
	}
	negation struct{ of expr }
	// valuePath is a filter on the elements of an attribute, such as emails[type eq "work"].
	valuePath struct {
		path   path
		filter expr
	}
)

// filterParser reads a filter. Libraries for it were tried: github.com/scim2/filter-parser leaves \" in texts, does not know \u and turns large
// numbers into others; elimity-com/scim is built on it.
type filterParser struct {
	rest   string
	depth  int
	schema *schema
	// within are the attributes of the elements that a value path selects; nil outside.
	within []*attribute
}

// parseFilter reads a filter of resources of a schema.
func (s *schema) parseFilter(text string) (expr, error) {
	if len(text) > maxFilter {
		return nil, bad(invalidFilter, "The filter is longer than %d bytes.", maxFilter)
	}
	p := &filterParser{rest: text, schema: s}
	e, err := p.either()
	if err == nil && p.skip() != "" {
		err = fmt.Errorf("there is %s where the filter should end, or and, or or", quoted(p.rest))
	}
	if err != nil {
		return nil, bad(invalidFilter, "The filter can't be read: %s.", err)
	}
	return e, nil
}

// skip drops spaces and returns what is left.
func (p *filterParser) skip() string {
	p.rest = strings.TrimLeft(p.rest, " ")
	return p.rest
}

// word takes a name or an operator; quoted texts and brackets end it.
func (p *filterParser) word() string {
	end := strings.IndexFunc(p.skip(), func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`()[]"`, r) })
	if end < 0 {
		end = len(p.rest)
	}
	w := p.rest[:end]
	p.rest = p.rest[end:]
	return w
}

// keyword takes a word if it is the next one.
func (p *filterParser) keyword(word string) bool {
	before := p.rest
	if strings.EqualFold(p.word(), word) {
		return true
	}
	p.rest = before
	return false
}

// take takes a bracket if it is next.
func (p *filterParser) take(bracket string) bool {
	rest, ok := strings.CutPrefix(p.skip(), bracket)
	if ok {
		p.rest = rest
	}
	return ok
}

// either reads terms with or between them, and both those with and, which binds more tightly.
func (p *filterParser) either() (expr, error) { return p.chain("or", p.both) }
func (p *filterParser) both() (expr, error)   { return p.chain("and", p.term) }

func (p *filterParser) chain(word string, part func() (expr, error)) (expr, error) {
	left, err := part()
	for err == nil && p.keyword(word) {
		var right expr
		if right, err = part(); err == nil {
			left = logical{or: word == "or", left: left, right: right}
		}
	}
	return left, err
}

func (p *filterParser) term() (expr, error) {
	if p.depth++; p.depth > maxFilterDepth {
		return nil, fmt.Errorf("it is nested deeper than %d levels", maxFilterDepth)
	}
	defer func() { p.depth-- }()
	if p.take("(") {
		return p.group()
	}
	before := p.rest
	name := p.word()
	if strings.EqualFold(name, "not") {
		if !p.take("(") {
			return nil, errors.New("not is not followed by a filter in parentheses")
		}
		e, err := p.group()
		return negation{e}, err
	}
	if name == "" {
		return nil, fmt.Errorf("there is %s where an attribute is expected", quoted(before))
	}
	where, kept, err := p.attribute(name)
	if err != nil {
		return nil, err
	}
	if p.within == nil && strings.HasPrefix(p.rest, "[") {
		return p.elements(where, kept)
	}
	return p.comparison(comparison{path: where, kept: kept})
}

// group reads what is in parentheses.
func (p *filterParser) group() (expr, error) {
	e, err := p.either()
	if err == nil && !p.take(")") {
		err = errors.New("a parenthesis is not closed")
	}
	return e, err
}

// attribute returns what a name means; kept is false for what is never there.
func (p *filterParser) attribute(name string) (_ path, kept bool, err error) {
	if p.within != nil {
		if a := find(p.within, name); a != nil {
			return path{top: a}, true, nil
		}
		return path{}, false, nil
	}
	where, err := p.schema.resolve(name)
	if errors.As(err, new(ignoredPath)) {
		return path{}, false, nil
	}
	return where, true, err
}

// elements reads the filter in brackets after an attribute.
func (p *filterParser) elements(where path, kept bool) (expr, error) {
	p.take("[")
	p.within = []*attribute{}
	if kept {
		p.within = where.last().SubAttributes
	}
	e, err := p.either()
	p.within = nil
	switch {
	case err == nil && !p.take("]"):
		err = errors.New("a bracket is not closed")
	case err == nil && !kept:
		return comparison{op: "pr"}, nil
	}
	return valuePath{where, e}, err
}

func (p *filterParser) comparison(c comparison) (expr, error) {
	switch c.op = strings.ToLower(p.word()); c.op {
	case "pr":
		return c, nil
	case "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le":
	default:
		return nil, fmt.Errorf("%s is not an operator", quoted(c.op))
	}
	value, err := p.value()
	if err != nil {
		return nil, err
	}
	c.value = value
	if text, ok := value.(string); ok && c.kept && c.path.last().Type == typeBoolean { // active eq "True"
		if is, ok := truth(text); ok {
			c.value = is
		}
	}
	return c, nil
}

// value reads a value, which is one of JSON.
func (p *filterParser) value() (any, error) {
	if !strings.HasPrefix(p.skip(), `"`) {
		switch word := p.word(); strings.ToLower(word) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		case "null":
			return nil, nil
		default:
			var n json.Number
			if json.Unmarshal([]byte(word), &n) != nil || n == "" {
				return nil, fmt.Errorf("%s is not a value: texts have double quotes around them", quoted(word))
			}
			return n, nil
		}
	}
	end := 1
	for ; end < len(p.rest) && p.rest[end] != '"'; end++ {
		if p.rest[end] == '\\' {
			end++
		}
	}
	if end >= len(p.rest) {
		return nil, errors.New("a text is not closed")
	}
	var text string
	if json.Unmarshal([]byte(p.rest[:end+1]), &text) != nil {
		return nil, fmt.Errorf("%s is not a text of JSON", quoted(p.rest[:end+1]))
	}
	p.rest = p.rest[end+1:]
	return text, nil
}
