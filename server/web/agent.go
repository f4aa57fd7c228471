package web

import "strings"

// product is a browser or system, with the sign of it in a User-Agent header. The first match counts, since most browsers
// also include the names of others.
type product struct{ sign, name string }

// userAgent returns the names of the browser and the system, or empty strings if they are unknown.
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
