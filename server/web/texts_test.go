package web

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/server/users"
)

func readTexts(t *testing.T, lang string) map[string]json.RawMessage {
	t.Helper()
	data, err := os.ReadFile("texts/" + lang + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var texts map[string]json.RawMessage
	if err := json.Unmarshal(data, &texts); err != nil {
		t.Fatal(err)
	}
	return texts
}

func TestLanguagesHaveTheSameTexts(t *testing.T) {
	t.Parallel()
	english, german := readTexts(t, "en"), readTexts(t, "de")
	placeholders := func(raw json.RawMessage) []string {
		list := regexp.MustCompile(`\{[a-z]+\}`).FindAllString(string(raw), -1)
		slices.Sort(list)
		return list
	}
	for key, text := range english {
		if german[key] == nil {
			t.Errorf("%s is missing in German", key)
		} else if a, b := placeholders(text), placeholders(german[key]); !slices.Equal(a, b) {
			t.Errorf("%s has %v in English and %v in German", key, a, b)
		}
	}
	for key := range german {
		if english[key] == nil {
			t.Errorf("%s is in German only", key)
		}
	}
}

// Keys that a template or the code makes of a value: each value that there is, by its prefix.
func TestNoTextIsUnused(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	for _, pattern := range []string{"templates/*.html", "*.go", "outcome/*.go"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(data)
		}
	}
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`"([a-z_]+(\.[a-z_]+)*)"`).FindAllStringSubmatch(source.String(), -1) {
		used[m[1]] = true
	}
	for m := 1; m <= 12; m++ {
		used["month."+strconv.Itoa(m)] = true
	}
	for _, status := range []int{400, 403, 404, 408, 429, 500, 503} {
		used["error."+kind(status, "")+".title"], used["error."+kind(status, "")+".text"] = true, true
	}
	for _, field := range users.OwnFields() {
		label := "account.profile." + field
		used[label], used[label+"_note"], used["problem.profile_"+field] = true, true, true
	}
	for key := range readTexts(t, "en") {
		name := strings.TrimSuffix(strings.TrimSuffix(key, ".one"), ".other")
		value := key[strings.LastIndexByte(key, '.')+1:]
		switch {
		case used[key], used[name], strings.HasPrefix(key, "event."), strings.HasPrefix(key, "scope."):
		case strings.HasPrefix(key, "console."): // server/console has a test of its own
		case strings.HasPrefix(key, "step.") && used[strings.Split(key, ".")[1]]: // one of the steps
		case strings.HasPrefix(key, "input.") && used[strings.TrimSuffix(value, "_note")]:
		case (strings.HasPrefix(key, "problem.") || strings.HasPrefix(key, "notice.")) && used[value]: // a constant of outcome
		default:
			t.Errorf("%s is on no page", key)
		}
	}
}

func TestEveryOutcomeHasAText(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("outcome/outcome.go")
	if err != nil {
		t.Fatal(err)
	}
	english := readTexts(t, "en")
	found := regexp.MustCompile(`(Problem|Notice) += "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(found) < 25 {
		t.Fatalf("%d outcomes", len(found))
	}
	for _, m := range found {
		if key := strings.ToLower(m[1]) + "." + m[2]; english[key] == nil {
			t.Errorf("there is no text %s", key)
		}
	}
}

func TestLanguageOfAPage(t *testing.T) {
	t.Parallel()
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ locales, accept, want string }{
		{"", "", "en"},
		{"", "de-AT,de;q=0.9,en;q=0.8", "de"},
		{"", "en-US,en;q=0.9,de;q=0.5", "en"},
		{"", "de;q=0.3,en;q=0.9", "en"},
		{"", "fr,de;q=0.5", "de"},
		{"", "xx, !!!", "en"},
		{"de", "en", "de"},
		{"en", "de", "en"},
		{"fr-CA de en", "en", "de"},
		{"xx de en", "en", "de"},
		{"", "!!, de", "de"},
		{"fr", "de", "de"},
		{"not a tag!", "de", "de"},
		{strings.Repeat("de ", 10_000), "en", "en"},
		{"", strings.Repeat("de-", 10_000), "en"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Language", c.accept)
		w := httptest.NewRecorder()
		if err := p.Render(w, r, 200, Login{Way: Way{Locales: c.locales}}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(w.Body.String(), `<html lang="`+c.want+`" dir="ltr">`) || w.Header().Get("Content-Language") != c.want {
			t.Errorf("ui_locales %.20q, Accept-Language %.20q: %s, want %s", c.locales, c.accept, w.Header().Get("Content-Language"), c.want)
		}
	}
}

func TestTimesInWords(t *testing.T) {
	t.Parallel()
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	english, german := p.locales[0], p.locales[1]
	now := time.Date(2026, 11, 22, 14, 5, 0, 0, time.UTC)
	for _, c := range []struct {
		ago    time.Duration
		en, de string
	}{
		{-59 * time.Second, "just now", "gerade eben"},
		{-time.Hour, "in 1 hour", "in 1 Stunde"},
		{-3 * time.Minute, "in 3 minutes", "in 3 Minuten"},
		{-48 * time.Hour, "in 2 days", "in 2 Tagen"},
		{59 * time.Second, "just now", "gerade eben"},
		{time.Minute, "1 minute ago", "vor 1 Minute"},
		{59 * time.Minute, "59 minutes ago", "vor 59 Minuten"},
		{time.Hour, "1 hour ago", "vor 1 Stunde"},
		{47 * time.Hour, "1 day ago", "vor 1 Tag"},
		{6 * 24 * time.Hour, "6 days ago", "vor 6 Tagen"},
		{7 * 24 * time.Hour, "on 15 November 2026", "am 15. November 2026"},
	} {
		at := now.Add(-c.ago).In(time.FixedZone("", 9*3600))
		if m := english.ago(at, now); m.Short != c.en || m.Machine != now.Add(-c.ago).Format(time.RFC3339) {
			t.Errorf("%v: %+v", c.ago, m)
		}
		if m := german.ago(at, now); m.Short != c.de {
			t.Errorf("%v: %+v", c.ago, m)
		}
	}
	if got := german.day(time.Date(2026, 3, 1, 23, 59, 0, 0, time.UTC)).Full; got != "1. März 2026, 23:59 UTC" {
		t.Errorf("in full: %s", got)
	}
	for d, want := range map[time.Duration]string{
		time.Second: "1 second", time.Millisecond: "1 second", 90 * time.Second: "90 seconds", time.Minute: "1 minute",
		121 * time.Second: "3 minutes", time.Hour: "1 hour", 90 * time.Minute: "90 minutes", 8 * time.Hour: "8 hours", 24 * time.Hour: "1 day",
		30 * 24 * time.Hour: "30 days",
	} {
		if got := english.span(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}

func TestUserAgentInWords(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0":                  "Edge Windows",
		"Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0":                                                                     "Firefox Linux",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15":                      "Safari macOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/130.0 Mobile/15E148 Safari/604.1":     "Chrome iPhone",
		"Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36": "Samsung Internet Android",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36":                             "Chrome ChromeOS",
		"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1":             "Safari iPad",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 OPR/116.0.0.0":              "Opera Windows",
		"curl/8.10.1":       "curl ",
		"Notes/1.2 (Linux)": "Notes Linux",
		"Mozilla/5.0":       " ",
		"":                  " ",
	} {
		if browser, system := userAgent(header); browser+" "+system != want {
			t.Errorf("%s: %s on %s", header, browser, system)
		}
	}
}
