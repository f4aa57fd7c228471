package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"path"
	"regexp"
	"strings"
)

// idioms are phrases that readers of this code have stumbled over, each with plainer ones to use instead.
var idioms = []struct{ phrase, instead string }{
	{`nobody|anybody|strangers?`, "name who is meant: no client, the user, an untrusted site"},
	{`whoever|whom|(to|for|by|from|of|and|or) who|(?-i:(^|[.;!] )Who [a-z]+)`, "a person or party needs a noun: the caller, the client that …"},
	{`gives`, "returns, writes, shows"},
	{`tells|told`, "reports whether, returns, notifies, prints"},
	{`foreign`, "of another site, of another client, cross-site"},
	{`mend(s|ed|ing)?`, "fix, repair"},
	{`stands? (there|in|at|in the place)|stands (behind|alone|before)`, "is, precedes, cannot be combined, replaces"},
	{`(the|one|same|known|given|which|what|a|all|other|caller's) places?`, "position, network, address"},
	{`words? (the|an?|what|it)|worded`, "write the text of, render"},
	{`given up`, "cancelled, abandoned"},
	{`an? \w+ too many`, "too many …"},
	{`(is|are|be) good (once|for|in|only)`, "valid, single-use"},
	{`of ours`, "of this server, of Latchkey"},
	{`(is|are|was|were) away`, "unavailable, unreachable"},
	{`(as|than) \w+ (has|have) it`, "as RFC … requires, in the form of …"},
	{`be had|had better|in vain|at the most|but for`, "obtained, should, without success, at most, except for"},
	{`(?-i:(most|least)[A-Z]\w*)`, "max…, min…"},
}

// allowed are uses of these words that are plain English or technical terms.
var allowed = regexp.MustCompile(`(?i)foreign keys?|in the first place|you are away|json:"mend,omitempty"|"known place"`)

var idiom = func() *regexp.Regexp {
	var phrases []string
	for _, i := range idioms {
		phrases = append(phrases, "("+i.phrase+")")
	}
	return regexp.MustCompile(`(?i)\b(?:` + strings.Join(phrases, "|") + `)\b`)
}()

// text is a comment, a string literal, or a file that people read.
type text struct {
	file    string
	line    int
	comment bool
	content string
}

// findIdioms returns the phrases of a text that the list has.
func findIdioms(content string) []string {
	return idiom.FindAllString(allowed.ReplaceAllString(strings.Join(strings.Fields(content), " "), ""), -1)
}

// insteadOf returns what to write instead of a phrase that findIdioms has found.
func insteadOf(phrase string) string {
	for _, i := range idioms {
		if regexp.MustCompile(`(?i)^(?:` + i.phrase + `)$`).MatchString(phrase) {
			return i.instead
		}
	}
	return ""
}

// texts returns all comments and string literals of production code, the templates and texts of the pages, and the documents.
func texts(root string, fset *token.FileSet, files []goFile) ([]text, error) {
	var all []text
	for _, f := range files {
		all = append(all, textsOf(fset, f)...)
	}
	names, err := tracked(root, "server/web/templates/*.html", "server/web/texts/en.json", "docs/*.md", "README.md")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		content, err := os.ReadFile(path.Join(root, name))
		if err != nil {
			return nil, err
		}
		for i, paragraph := range strings.SplitAfter(string(content), "\n") {
			all = append(all, text{name, i + 1, false, paragraph})
		}
	}
	return all, nil
}

// textsOf returns the comments and the string literals of a file.
func textsOf(fset *token.FileSet, f goFile) (all []text) {
	for _, group := range f.syntax.Comments {
		all = append(all, text{f.name, fset.Position(group.Pos()).Line, true, group.Text()})
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			all = append(all, text{f.name, fset.Position(lit.Pos()).Line, false, lit.Value})
		}
		return true
	})
	return all
}

// lint prints the idioms that it finds, and returns an error if there are any.
func lint(root string, fset *token.FileSet, files []goFile) error {
	all, err := texts(root, fset, files)
	if err != nil {
		return err
	}
	found := 0
	for _, t := range all {
		for _, phrase := range findIdioms(t.content) {
			found++
			fmt.Printf("%s:%d: %q: rather %s\n", t.file, t.line, phrase, insteadOf(phrase))
		}
	}
	if found > 0 {
		return fmt.Errorf("language: %d to change", found)
	}
	return nil
}
