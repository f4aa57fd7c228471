package web

import "strings"

// product is what in a User-Agent header tells a browser or a system. The first that is found counts, since most browsers
// also call themselves by the names of others.
type product struct{ sign, name string }

// userAgent gives the browser and the system in words; empty where they are not known.
func userAgent(s string) (browser, system string) {
	browser = find(s, []product{
		{"Edg", "Edge"},
		{"OPR/", "Opera"},
		{"SamsungBrowser/", "Samsung Internet"},
		{"Vivaldi/", "Vivaldi"},
		{"YaBrowser/", "Yandex Browser"},
		{"DuckDuckGo/", "DuckDuckGo"},
		{"FxiOS/", "Firefox"},
		{"Firefox/", "Firefox"},
		{"CriOS/", "Chrome"},
		{"HeadlessChrome/", "Chrome"},
		{"Chromium/", "Chromium"},
		{"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
	})
	system = find(s, []product{
		{"Windows", "Windows"},
		{"Android", "Android"},
		{"iPhone", "iPhone"},
		{"iPad", "iPad"},
		{"Macintosh", "macOS"},
		{"CrOS", "ChromeOS"},
		{"Linux", "Linux"},
	})
	if browser == "" && !strings.HasPrefix(s, "Mozilla/") {
		// A program says its name first (RFC 9110 §10.1.5).
		browser, _, _ = strings.Cut(s, "/")
		browser = clean(browser, 40)
	}
	return browser, system
}

func find(s string, products []product) string {
	for _, p := range products {
		if strings.Contains(s, p.sign) {
			return p.name
		}
	}
	return ""
}
