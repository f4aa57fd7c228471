package mail

import (
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"golang.org/x/text/language"
)

//go:embed templates
var builtIn embed.FS

// layout is the file of the HTML around every letter.
const layout = "layout.html"

// languages are those of the letters, the default first.
var languages = []language.Tag{language.English, language.German}

// templates writes the letters, by name and language: NAME.LANG.txt, whose first line is the subject. The HTML is that text in the layout.
type templates struct {
	texts   map[string]*template.Template
	html    *htmltemplate.Template
	matcher language.Matcher
}

// view is what templates can show.
type view struct {
	Product, Issuer, Username, To, Link, Code string
	Minutes, Hours, Days                      int
	When                                      string
	ByOperator, Passkey                       bool
}

// load reads the templates; those in dir replace the built-in ones.
func load(dir string) (*templates, error) {
	t := &templates{texts: make(map[string]*template.Template), matcher: language.NewMatcher(languages)}
	known := []string{layout}
	for _, name := range Names() {
		for _, lang := range languages {
			file := string(name) + "." + lang.String() + ".txt"
			known = append(known, file)
			text, err := read(dir, file)
			if err != nil {
				return nil, err
			}
			parsed, err := template.New(file).Option("missingkey=error").Parse(text)
			if err != nil {
				return nil, fmt.Errorf("template of a letter: %w", err)
			}
			t.texts[file] = parsed
		}
	}
	text, err := read(dir, layout)
	if err != nil {
		return nil, err
	}
	if t.html, err = htmltemplate.New(layout).Parse(text); err != nil {
		return nil, fmt.Errorf("template of letters: %w", err)
	}
	if err := t.try(); err != nil {
		return nil, err
	}
	return t, checkNames(dir, known)
}

// read returns the operator's file, or the built-in one.
func read(dir, file string) (string, error) {
	if dir != "" {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err == nil {
			return string(text), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("template of a letter: %w", err)
		}
	}
	text, err := builtIn.ReadFile(path.Join("templates", file))
	return string(text), err
}

// checkNames refuses files that no letter uses: their names are misspelt.
func checkNames(dir string, known []string) error {
	if dir == "" {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("templates of letters: %w", err)
	}
	for _, e := range entries {
		if !slices.Contains(known, e.Name()) && !strings.HasPrefix(e.Name(), ".") {
			return fmt.Errorf("%s is no template of a letter: these are %s", filepath.Join(dir, e.Name()), strings.Join(known, ", "))
		}
	}
	return nil
}

// try writes every letter once, so that a mistake is found at the start.
func (t *templates) try() error {
	for _, name := range Names() {
		for _, lang := range languages {
			v := view{"Product", "https://issuer.example", "user", "user@example.com", "https://issuer.example/link?token=x", "1234 5678", 30, 1, 1, "2006-01-02 15:04 UTC", false, false}
			for _, v.ByOperator = range []bool{false, true} {
				v.Passkey = v.ByOperator
				if err := t.write(new(Post), &Letter{Name: name, Lang: lang.String()}, v); err != nil {
					return fmt.Errorf("%s.%s.txt: %w", name, lang, err)
				}
			}
		}
	}
	return nil
}

// write fills in a letter.
func (t *templates) write(p *Post, l *Letter, v view) error {
	wanted, _, err := language.ParseAcceptLanguage(l.Lang)
	if err != nil || len(l.Lang) > 200 {
		wanted = nil
	}
	_, i, _ := t.matcher.Match(wanted...)
	p.Lang = languages[i].String()
	text := t.texts[string(l.Name)+"."+p.Lang+".txt"]
	if text == nil {
		return errors.New("no such letter")
	}
	var b strings.Builder
	if err := text.Execute(&b, v); err != nil {
		return err
	}
	first, rest, _ := strings.Cut(strings.ReplaceAll(b.String(), "\r\n", "\n"), "\n")
	subject, ok := strings.CutPrefix(first, "Subject: ")
	if !ok || strings.TrimSpace(subject) == "" || strings.TrimSpace(rest) == "" {
		return errors.New("the first line must be the subject, like “Subject: Your password”, and a text must follow")
	}
	p.Subject, p.Text = clean(subject), strings.TrimSpace(rest)+"\n"
	return t.inHTML(p, v)
}

// paragraph is one of a letter: a text, the link or the code.
type paragraph struct{ Text, Link, Code string }

func (t *templates) inHTML(p *Post, v view) error {
	var list []paragraph
	for text := range strings.SplitSeq(strings.TrimSpace(p.Text), "\n\n") {
		switch text = strings.TrimSpace(text); text {
		case "":
		case v.Link:
			list = append(list, paragraph{Link: text})
		case v.Code:
			list = append(list, paragraph{Code: text})
		default:
			list = append(list, paragraph{Text: text})
		}
	}
	var b strings.Builder
	err := t.html.Execute(&b, map[string]any{"Lang": p.Lang, "Subject": p.Subject, "Product": v.Product, "Issuer": v.Issuer, "Paragraphs": list})
	p.HTML = b.String()
	return err
}
