package djangotest

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted is text as a JSON string, with nothing escaped that need not be.
func quoted(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(text)
	return strings.TrimSuffix(b.String(), "\n")
}

// spell is text as a JSON string, in one of the ways to write it.
func (g *grammar) spell(text string) string {
	if g.chance(75) {
		return quoted(text)
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range text {
		switch {
		case g.chance(60) && c >= 0x20 && c != '"' && c != '\\':
			b.WriteRune(c)
		case c > 0xffff:
			high, low := utf16.EncodeRune(c)
			fmt.Fprintf(&b, pick(g.Rand, `\u%04x\u%04X`, `\u%04X\u%04x`), high, low)
		case c == '/':
			b.WriteString(`\/`)
		default:
			fmt.Fprintf(&b, pick(g.Rand, `\u%04x`, `\u%04X`), c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// space is what JSON allows between its parts.
func (g *grammar) space() string {
	if g.chance(85) {
		return ""
	}
	return pick(g.Rand, " ", "  ", "\n", "\r\n", "\t", " \t\n")
}

// value is a JSON value of any kind, as Python's parser takes it.
func (g *grammar) value() string {
	if g.chance(40) {
		return pick(g.Rand, `null`, `""`, `" "`, `"\t\n"`, `true`, `false`, `[]`, `{}`, `0`, `-0`, `-0.0`, `0.0`, `NaN`, `Infinity`, `-Infinity`)
	}
	switch g.IntN(7) {
	case 0:
		return g.number()
	case 1:
		return pick(g.Rand, `["alice"]`, `[null]`, `[[]]`, `{"a":1}`, `{"username":"alice"}`, `[1,2]`, `[`+g.number()+`]`)
	case 2:
		return g.spell(pick(g.Rand, "\u00a0", "\u3000\u2003", "\u200b", "\ufeff", "\u001c\u001d\u001e\u001f", "\u0085", "\u2028\u2029", "\u180e", "x\u0000y", "\u0000", " \u0000 ", "\u007f", "\u0001"))
	case 3:
		return pick(g.Rand, `"\ud800"`, `"\udc00"`, `"a\ud83d"`, `"\ud83d\ude00"`, `"\ude00\ud83d"`, `"\ud83dx"`, `"\uFFFF"`, `"\ud800\u0000"`)
	case 4:
		return g.spell(strings.Repeat(pick(g.Rand, "a", "é", "🔑", "."), 1<<g.IntN(15)))
	case 5:
		return g.spell(pick(g.Rand, "alice", "a.b.c", "garbage", "eyJ.e30.x", "..", ".", "null", "None", "true", "<b>", "a/b", `"`, `\`, "x y", "%41", "+", "日本語", "a.b", "a.b.c.d"))
	}
	return g.number()
}

// number is a JSON number; Django takes it for text as Python writes it.
func (g *grammar) number() string {
	switch g.IntN(6) {
	case 0:
		return pick(g.Rand, "12345", "67890", "1e16", "-5e-1", "-0.5", "10000000000000000.0", "1E+16", "0.1e17")
	case 1:
		return pick(g.Rand, "123456789012345678901234567890", "-9223372036854775809", "18446744073709551616", "1e400", "-1e400", "1e-400", "0e99", "-0e0", "1e22", "1e23")
	case 2:
		return fmt.Sprint(g.Int64())
	case 3:
		return fmt.Sprintf("%d.%d", g.IntN(1000), g.IntN(1e6))
	case 4:
		return fmt.Sprintf("%d%c%s%d", g.IntN(100), pick(g.Rand, 'e', 'E'), pick(g.Rand, "", "+", "-"), g.IntN(30))
	}
	return fmt.Sprintf("%se%d", fmt.Sprintf("%.17g", g.Float64()*1e3), g.IntN(24)-12)
}

// malformed: JSON with something wrong in it, anywhere.
func (g *grammar) malformed() *scenario {
	path := pick(g.Rand, paths...)
	text := g.goodBody(path)
	if g.chance(40) {
		text = pick(g.Rand, "{\"a\": [1, 2, {\"b\": null}],\n \"c\": -1.5e3, \"d\": true}", `{"é": "ü", "🔑": [false, "\u00e9"]}`, "[\n1,\n2\n]", `"text\n"`, `{"a":{"b":{"c":[]}}}`, `-12.5e+7`)
	}
	for range 1 + g.IntN(2) {
		text = g.mutate(text)
	}
	if g.chance(15) {
		text = pick(g.Rand, "", " ", "\n", "{", "}", "[", "]", `"`, ",", ":", "nul", "tru", "Nan", "-", "-Inf", "+1", "01", "1.", ".5", "1e", "0x1", "'a'", "//x", "{}{}", "[1 2]", "{,}", "[,]", "{]",
			`{"a"}`, `{"a":}`, `{"a":1,}`, `{1:2}`, `{"a" "b"}`, `{"a":1 "b":2}`, `["a",]`, "nullx", "null null", `"a" "b"`, "\x00", "{\x00}", "\v{}", "\u00a0{}", "{}\u00a0", "undefined", "None", "True",
			`"\x"`, `"\u12"`, `"\u12g4"`, `"\`, `"\u`, "\"\t\"", "\"a\nb\"", "-NaN", "--1", "1-", "[1,,2]", `{"a":1,,}`, strings.Repeat("[", 200), strings.Repeat(`{"a":`, 60), "[1,\n\n2,\n}")
	}
	return one("", post(path, text))
}

// mutate changes text in one place, leaving it UTF-8.
func (g *grammar) mutate(text string) string {
	runes := []rune(text)
	if len(runes) == 0 {
		return text
	}
	at := g.IntN(len(runes))
	token := pick(g.Rand, ",", ":", `"`, "{", "}", "[", "]", `\`, "'", "x", "1", "-", ".", "e", "\n", "\t", " ", "\x00", "\x1f", "é", "🔑", `\u`, `\ud800`, `\x`, "null", "/*", "#", "\u2028", "\ufeff")
	before, after := string(runes[:at]), string(runes[at:])
	switch g.IntN(6) {
	case 0: // cut off
		return before
	case 1: // leave out
		return before + string(runes[at+1:])
	case 2, 3: // put in
		return before + token + after
	case 4: // replace
		return before + token + string(runes[at+1:])
	}
	return text + pick(g.Rand, "x", " x", "{}", ",", "\n}", "\x00", "]", "é")
}

// shape: good JSON that is no object of fields, or a strange one.
func (g *grammar) shape() *scenario {
	path := pick(g.Rand, paths...)
	good := g.goodBody(path)
	deep := 1 + g.IntN(300)
	if g.chance(2) {
		deep = 2000 // far beyond what Python's parser takes, wherever it is called from
	}
	text := pick(g.Rand, "[]", "null", "true", "false", "0", "1", "-1.5", `""`, `"x"`, "[{}]", "["+good+"]", "[[]]", "{}", `{"":""}`, "NaN", "-Infinity", `["username"]`, `[["username","alice"]]`, g.number(), g.value(),
		strings.Repeat("[", deep)+strings.Repeat("]", deep),
		strings.Repeat(`{"username":`, deep)+"1"+strings.Repeat("}", deep),
		`{"refresh":`+strings.Repeat("[", deep)+strings.Repeat("]", deep)+"}",
		" \r\n\t"+good+"\t\n\r ", strings.Replace(good, "{", `{"username":1,"refresh":[],"token":null,`, 1), strings.Replace(good, "}", `,"username":null}`, 1))
	return one(fmt.Sprintf("up to %d deep", deep), post(path, text))
}

// encoding: bytes that are text in another way, or in none.
func (g *grammar) encoding() *scenario {
	path := pick(g.Rand, obtainPath, obtainPath, refreshPath, verifyPath)
	text := g.goodBody(path)
	switch g.IntN(6) {
	case 0:
		body, charset := g.encoded(text)
		return one(charset, g.typed(path, body, charset))
	case 1:
		name := pick(g.Rand, "utf-8", "UTF8", "utf_8", "latin-1", "iso-8859-1", "us-ascii", "ascii", "cp1252", "utf-8-sig", "klingon", "", "utf-16", "utf-7", "none", "UTF-8 ", "base64", "hex", "rot13")
		return one(name, g.typed(path, text, pick(g.Rand, "; charset=", ";charset=", "; Charset=", `; charset="`)+name))
	case 2: // a byte order mark
		return one("mark", post(path, pick(g.Rand, "\ufeff", "\xef\xbb", "\xff\xfe", "\xfe\xff", "\ufeff\ufeff")+text))
	case 3: // latin-1 bytes in one of two charsets
		body := strings.Replace(text, "a", pick(g.Rand, "\xe9", "\xeb\xfc", "\x80"), 1)
		charset := pick(g.Rand, "", "; charset=latin-1", "; charset=utf-8", "; charset=ascii", "; charset=cp1252")
		return one("latin-1 bytes"+charset, g.typed(path, body, charset))
	}
	// A broken sequence anywhere.
	at := g.IntN(len(text) + 1)
	for at < len(text) && !utf8.RuneStart(text[at]) {
		at--
	}
	broken := pick(g.Rand, "\xff", "\x80", "\xc3", "\xe2\x82", "\xf0\x9f\x94", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xe2\x28\xa1", "\xf0\x28\x8c\xbc", "\xc3\x28", "\xbf\xbf", "\xfe", "\xe0\x80\x80")
	return one("broken UTF-8", post(path, text[:at]+broken+text[at:]))
}

// encoded is text in one of Unicode's other forms, with the parameter that says so or a wrong one.
func (g *grammar) encoded(text string) (body, charset string) {
	var b strings.Builder
	big := g.chance(50)
	for _, unit := range utf16.Encode([]rune(text)) {
		if big {
			b.Write([]byte{byte(unit >> 8), byte(unit)})
		} else {
			b.Write([]byte{byte(unit), byte(unit >> 8)})
		}
	}
	body = b.String()
	if g.chance(40) {
		body = map[bool]string{true: "\xfe\xff", false: "\xff\xfe"}[big] + body
	}
	if g.chance(10) {
		body = body[:len(body)-1]
	}
	return body, pick(g.Rand, "", "; charset=utf-16", "; charset=utf-16le", "; charset=utf-16be", "; charset=UTF-16LE", "; charset=utf-8", "; charset=utf-32")
}

func (g *grammar) typed(path, body, parameter string) *request {
	return &request{"POST", path, []field{{"Content-Type", "application/json" + parameter}}, &body}
}
