package drf

import "testing"

// TestMarksAsPythonReadsThem holds the three ways that Python decodes against each other: what bytes.decode and a
// StreamReader of Python 3.11 gave.
func TestMarksAsPythonReadsThem(t *testing.T) {
	t.Parallel()
	const noMark16 = "UTF-16 stream does not start with BOM"
	for _, c := range []struct {
		charset, bytes string
		strict         string // empty: refused
		replaced       string
		stream, fault  string
	}{
		{"utf-16", "refresh=a.b.c", "", "敲牦獥㵨\u2e61\u2e62\ufffd", "", noMark16},
		{"utf-16", "ab", "扡", "扡", "", noMark16},
		{"utf-16", "a", "", "\ufffd", "", ""},
		{"utf-16", "\x00\xd8", "", "\ufffd", "", ""},
		{"utf-16", "\x00\xdcab", "", "\ufffd扡", "", "'utf-16-le' codec can't decode bytes in position 0-1: illegal encoding"},
		{"utf-16", "\xfe\xff\xdc\x00", "", "\ufffd", "", "'utf-16-be' codec can't decode bytes in position 2-3: illegal encoding"},
		{"utf-16", "\xfe\xff\x00a\x00", "", "a\ufffd", "a", ""},
		{"utf-16", "\xff\xfea\x00", "a", "a", "a", ""},
		{"utf-8-sig", "\xef\xbb\xbfa\xff", "", "a\ufffd", "", "'utf-8' codec can't decode byte 0xff in position 1: invalid start byte"},
		{"utf-8-sig", "\xef\xbb\xbf\xffa\xe9", "", "\ufffda\ufffd", "", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"},
		{"utf-8-sig", "\xef", "", "\ufffd", "", ""},
		{"utf-8-sig", "a", "a", "a", "a", ""},
	} {
		codec := charsetCodec(c.charset)
		if text, ok := codec.strict([]byte(c.bytes)); ok != (c.strict != "") || ok && text != c.strict {
			t.Errorf("%s %q strictly: %q, %t, want %q", c.charset, c.bytes, text, ok, c.strict)
		}
		if text := codec.replace([]byte(c.bytes)); text != c.replaced {
			t.Errorf("%s %q with replacements: %q, want %q", c.charset, c.bytes, text, c.replaced)
		}
		text, err := codec.stream([]byte(c.bytes))
		if text != c.stream || (err != nil) != (c.fault != "") || err != nil && err.Error() != c.fault {
			t.Errorf("%s %q as a stream: %q, %v, want %q, %q", c.charset, c.bytes, text, err, c.stream, c.fault)
		}
	}
}

// FuzzDecode: whatever the bytes and the charset, decoding ends.
func FuzzDecode(f *testing.F) {
	for _, charset := range []string{"utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "ascii", "latin-1", "cp1252"} {
		f.Add(charset, []byte("refresh=a\xe9\xff\xfe\x00\xd8"))
	}
	f.Fuzz(func(t *testing.T, charset string, b []byte) {
		c := charsetCodec(charset)
		text, ok := c.strict(b)
		if replaced := c.replace(b); ok && replaced != text {
			t.Errorf("%s %q: %q strictly, %q with replacements", charset, b, text, replaced)
		}
		c.stream(b) //nolint:errcheck // that it ends is all
	})
}
