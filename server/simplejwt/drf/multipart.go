package drf

import (
	"bytes"
	"encoding/base64"
	"errors"
	"html"
	"strings"
	"unicode/utf8"

	"latchkey/server/internal/pyjson"
)

const (
	// maxPartHeader is how much of a part Django searches for the end of its header.
	maxPartHeader = 1024
	// maxFiles is Django's DATA_UPLOAD_MAX_NUMBER_FILES.
	maxFiles = 100
)

var errTooManyFiles = errors.New("the number of files exceeds 100")

func multipartError(text string) error { return ParseError("Multipart form parse error - " + text) }

// parseMultipart is Django's MultiPartParser. It accepts bodies that mime/multipart refuses: without an end, with text in front of a
// separator on its line, with parts that have no header. Files are only noted, not kept.
func parseMultipart(body []byte, c content) (*pyjson.Dict, error) {
	boundary, err := boundaryOf(c)
	if err != nil {
		return nil, err
	}
	f := multipartForm{codec: c.codec, fields: &pyjson.Dict{}}
	separator := []byte("--" + boundary)
	for len(body) > 0 {
		// The separator counts anywhere. What precedes the first one and what follows the last are parts too.
		segment, rest, found := bytes.Cut(body, separator)
		if found {
			segment = bytes.TrimSuffix(bytes.TrimSuffix(segment, []byte("\n")), []byte("\r"))
		}
		complete := len(f.files)
		if err := f.part(segment); err != nil {
			return nil, err
		}
		if len(rest) == 0 { // a file is complete when something follows it
			f.files = f.files[:complete]
		}
		body = rest
	}
	for _, name := range f.files {
		f.fields.Set(name, file{})
	}
	return f.fields, nil
}

func boundaryOf(c content) (string, error) {
	if !strings.HasPrefix(c.header, "multipart/") {
		return "", multipartError("Invalid Content-Type: " + c.header)
	}
	if strings.ContainsFunc(c.header, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return "", multipartError("Invalid non-ASCII Content-Type in multipart: " + c.header)
	}
	boundary, ok := c.media.param("boundary")
	switch {
	case !ok:
		return "", multipartError("Invalid boundary in multipart: None")
	case !validBoundary(boundary):
		return "", multipartError("Invalid boundary in multipart: " + boundary)
	}
	return boundary, nil
}

// validBoundary reports whether s is a boundary of RFC 2046 §5.1.1, with more characters and a length up to 201.
func validBoundary(s string) bool {
	return s != "" && len(s) <= 201 && s[len(s)-1] != ' ' && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

type multipartForm struct {
	codec  codec
	fields *pyjson.Dict
	files  []string
	keys   int // fields, and parts that are none
	nFiles int
}

// part reads what is between two separators.
func (f *multipartForm) part(segment []byte) error {
	header, content, found := bytes.Cut(segment, []byte("\r\n\r\n"))
	if !found || len(header)+4 > maxPartHeader {
		if len(segment) >= maxPartHeader {
			return multipartError("Request max total header size exceeded.")
		}
		return f.countKey()
	}
	p := parsePartHeader(header)
	isFile := p.isField && p.filename != ""
	if !isFile {
		if err := f.countKey(); err != nil {
			return err
		}
	}
	if !p.hasName {
		return nil
	}
	name := f.codec.replace([]byte(p.name))
	if isFile {
		return f.file(name, p)
	}
	if p.encoding == "base64" {
		if decoded, err := base64.StdEncoding.DecodeString(onlyBase64(content)); err == nil {
			content = decoded
		}
	}
	f.fields.Set(name, f.codec.replace(content))
	return nil
}

func (f *multipartForm) countKey() error {
	if f.keys++; f.keys > maxFields+2 { // two for what precedes and follows the parts
		return BadRequest(errTooManyFields)
	}
	return nil
}

func (f *multipartForm) file(name string, p partHeader) error {
	if f.nFiles++; f.nFiles > maxFiles {
		return BadRequest(errTooManyFiles)
	}
	filename := html.UnescapeString(p.filename)
	filename = filename[strings.LastIndexAny(filename, `/\`)+1:]
	if filename != "" && filename != "." && filename != ".." {
		f.files = append(f.files, name)
	}
	return nil
}

// onlyBase64 removes what Python's decoder skips.
func onlyBase64(content []byte) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z', 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '+', r == '/', r == '=':
			return r
		}
		return -1
	}, string(content))
}

// partHeader is what the parser uses of a part's header.
type partHeader struct {
	isField, hasName         bool
	name, filename, encoding string
}

func parsePartHeader(header []byte) partHeader {
	var p partHeader
	for line := range bytes.SplitSeq(header, []byte("\r\n")) {
		name, value, ok := strings.Cut(string(line), ":")
		if !ok || !utf8.Valid(line) {
			continue
		}
		switch strings.TrimRight(strings.ToLower(name), " ") {
		case "content-disposition":
			m := parseMediaType(value)
			p.isField = true
			p.name, p.hasName = m.param("name")
			p.name = pyjson.Strip(p.name)
			p.filename, _ = m.param("filename")
		case "content-transfer-encoding":
			value, _, _ = strings.Cut(value, ";")
			p.encoding = strings.ToLower(pyjson.Strip(value))
		}
	}
	return p
}
